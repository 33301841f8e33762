"""The size of one and the sign of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core import Context, Transform
from gradwright.core.transform import State


@dataclass(frozen=True)
class FaceGradient(Transform):
    """Keep the size of the update and take the sign of the gradient, u ← |u| sign(g): Grams."""

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return abs(u) * torch.sign(ctx.grad), state


@dataclass(frozen=True)
class FaceMomentum(Transform):
    """Keep the sign of the update, which is a momentum, and take the size of the gradient, u ← |g| sign(u): Ano."""

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return abs(ctx.grad) * torch.sign(u), state
