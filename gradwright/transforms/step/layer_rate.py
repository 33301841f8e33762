"""LayerRate: LARS's learning rate of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core import Context, Transform
from gradwright.core.ops import norm, where
from gradwright.core.transform import State


@dataclass(frozen=True)
class LayerRate(Transform):
    """LARS's local rate, decay included: u ← r (u + λ p),   r = η ‖p‖ / (‖u‖ + λ ‖p‖).

    Gradient and decay are measured apart, where :class:`Decay` before :class:`TrustRatio` measures their sum. The rate
    is 1 where ‖p‖ or ‖u‖ is zero.

    Args:
        share: η ≥ 0; 1e-3 in the paper.
        weight_decay: λ ≥ 0.
        only: a selector of the parameters it applies to; the others pass unchanged and do not decay.

    Reference: arXiv:1708.03888.
    """

    share: float = 1e-3
    weight_decay: float = 0.0
    only: str = "*"

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        long, wide = norm(ctx.param), norm(u)
        rate = self.share * long / (wide + self.weight_decay * long)
        rate = where((long > 0) & (wide > 0), rate, torch.ones_like(wide))
        return rate * (u + self.weight_decay * ctx.param), state
