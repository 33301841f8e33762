"""Graft: the direction of one method and the length of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core import Context, Nest, Transform
from gradwright.core.ops import norm, where
from gradwright.core.transform import State, UpdateCoroutine


@dataclass(frozen=True)
class Graft(Nest):
    """u ← d ‖s‖ / ‖d‖ of each tensor, with d what ``direction`` makes of u and s what ``size`` does. arXiv:2002.11803.

    Where d is zero, u becomes zero.

    Args:
        direction: gives the direction.
        size: gives the length.
    """

    direction: Transform
    size: Transform

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        length, state, _ = yield from self.run("size", u, state, ctx)
        d, state, ctx = yield from self.run("direction", u, state, ctx)
        wide = norm(d)
        ratio = norm(length) / where(wide > 0, wide, 1 + 0 * wide)
        return where(wide > 0, d * ratio, torch.zeros_like(d)), state, ctx
