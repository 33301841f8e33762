"""Directions: what an update points to once its size no longer counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, Transform
from gradwright.core.ops import maximum, mean, norm, rms, where
from gradwright.core.transform import State


@dataclass(frozen=True)
class Sign(Transform):
    """u ← sign(u), with sign(0) = 0."""

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return torch.sign(u), state


@dataclass(frozen=True)
class TrustRatio(Transform):
    """LAMB's ratio: make the update as long as the tensor it moves, u ← u ‖p‖ / ‖u‖.

    The ratio is 1 where either norm is zero, so that tensors that start at zero can leave it.

    Args:
        only: a selector of the parameters it applies to; the others pass unchanged.
    """

    only: str = "*"

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        long, wide = norm(ctx.param), norm(u)
        ratio = where((long > 0) & (wide > 0), long / wide, torch.ones_like(wide))
        return u * ratio, state


@dataclass(frozen=True)
class ClipRms(Transform):
    """Adafactor's clip of the update (not of the gradient): u ← u / max(1, rms(u) / d), with d greater than 0."""

    threshold: float = 1.0
    bounds: ClassVar = {"threshold": (1e-12, math.inf)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u / maximum(rms(u) / self.threshold, 1.0), state


@dataclass(frozen=True)
class Cautious(Transform):
    """Move only where update and gradient agree, and rescale to keep the tensor's mean step.

    mask = [u · g > 0];   u ← u · mask / max(mean(mask), 1e-3).

    The divisor is the one that is exactly 1 when every entry agrees; the paper's numel / (kept + 1) would halve the
    step of a single number. arXiv:2411.16085.
    """

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        agrees = where(u * ctx.grad > 0, torch.ones_like(u), torch.zeros_like(u))
        return u * agrees / maximum(mean(agrees), 1e-3), state
