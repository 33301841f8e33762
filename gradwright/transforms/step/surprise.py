"""SurpriseClip: a shorter step where the gradients of a tensor are larger than their second moment expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, Transform
from gradwright.core.ops import maximum, mean, where
from gradwright.core.transform import STEP, State


@dataclass(frozen=True)
class SurpriseClip(Transform):
    """u ← u / max(1, r),   r² = mean of g² / max(v̂, ε²) over the tensor, with v̂ the moment that was divided by.

    It comes after ``Precondition``; behind ``Decay`` it holds the decay back as well.

    Args:
        eps: ε, at least 0.
    """

    eps: float = 1e-6
    stage: ClassVar[int] = STEP
    reads_moment: ClassVar[bool] = True

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        v, square = ctx.moment, ctx.grad * ctx.grad
        assert v is not None
        surprise = where(square > 0, square / maximum(v, self.eps * self.eps), torch.zeros_like(u))
        return u / maximum(torch.sqrt(mean(surprise)), 1.0), state
