"""Sm3: a second moment in the space of one number for each slice along each axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import torch

from gradwright.core import Context, ParamSpec, Slot
from gradwright.core.ops import largest, minimum, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.moment.moments import Estimate, Moment


@dataclass(frozen=True)
class Sm3(Moment):
    """A bound of AdaGrad's Σ g² from one accumulator a for each axis: a matrix keeps its rows and its columns.

    II:  ν = min over axes of a + g²,   then a ← the largest ν of each slice
    I:   a ← a + the largest g² of each slice,   then ν = min over axes of a

    Σ g² ≤ ν of II ≤ ν of I, in every entry. A vector has one axis, so that ν = Σ g² is AdaGrad's. Nothing is forgotten:
    steps shrink as 1 / √t. Where ν is 0, so is the gradient, and the root is given as 1. arXiv:1901.11150.

    Args:
        form: ``"II"``, the tighter one, or ``"I"``.
        eps: ε inside the root, not stored.
    """

    form: Literal["I", "II"] = "II"
    eps: float = 1e-30

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in ("I", "II"):
            raise ValueError(f"Sm3: form={self.form!r} is unknown; known are I, II")

    def slots(self, spec: ParamSpec) -> Slots:
        return {f"axis{k}": Slot(keep=dims) for k, dims in enumerate(_axes(spec))}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        square = ctx.grad * ctx.grad
        axes = {f"axis{k}": dims for k, dims in enumerate(_axes(ctx.spec))}
        if self.form == "II":
            bound = reduce(minimum, (state[name] for name in axes)) + square
            kept = {name: largest(bound, dims) for name, dims in axes.items()}
        else:
            kept = {name: state[name] + largest(square, dims) for name, dims in axes.items()}
            bound = reduce(minimum, kept.values())
        return Estimate(where(bound > 0, bound + self.eps, torch.ones_like(bound))), kept


def _axes(spec: ParamSpec) -> list[tuple[int, ...]]:
    parts = (spec.own_ndim,) if spec.is_complex else ()  # real and imaginary parts are entries of their own
    return [(k, *parts) for k in range(spec.own_ndim)] or [parts]
