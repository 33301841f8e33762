"""ProjectedDecay: no step along weights whose length does not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, Transform
from gradwright.core.ops import largest, maximum, norm, total, where
from gradwright.core.transform import STEP, State


@dataclass(frozen=True)
class ProjectedDecay(Transform):
    """AdamP's projection and its decay, for weights in front of a normalisation, whose length does not matter.

    Where |cos(g, p)| < δ / √n of all rows, n entries each:   u ← u − ⟨u, p̂⟩ p̂ row by row, p̂ = p / (‖p‖ + ε)
    otherwise, where |cos(g, p)| < δ / √n of the whole tensor:   the same with the whole tensor
    u ← u + λ ω p where it was projected, u + λ p where not

    A gradient that stands at right angles to the weights says that their length does not matter; a step along them
    would only make them longer, and later steps shorter. Vectors are not projected.

    Args:
        weight_decay: λ.
        delta: δ, at least 0.
        ratio: ω, the share of the decay that is left to projected weights.
        eps: ε.
    """

    weight_decay: float
    delta: float = 0.1
    ratio: float = 0.1
    eps: float = 1e-8
    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if ctx.spec.own_ndim < 2:
            return u + self.weight_decay * ctx.param, state
        by_rows, rows = self._projected(u, ctx, (0,))
        whole, tensor = self._projected(u, ctx, ())
        share = where(by_rows | whole, self.ratio + torch.zeros_like(u), 1 + torch.zeros_like(u))
        u = where(by_rows, rows, where(whole, tensor, u))
        return u + self.weight_decay * share * ctx.param, state

    def _projected(self, u: Any, ctx: Context, keep: tuple[int, ...]) -> tuple[Any, Any]:
        """Whether all parts stand at right angles to their gradients, and what is left of u across them."""
        p, g = ctx.param, ctx.grad
        length = norm(p, keep)
        cosine = abs(total(g * p, keep)) / maximum(norm(g, keep) * length, self.eps)
        entries = ctx.spec.numel / (ctx.spec.own_shape[0] if keep else 1)
        direction = p / (length + self.eps)
        across = u - total(direction * u, keep) * direction
        return largest(cosine) < self.delta / math.sqrt(entries), across
