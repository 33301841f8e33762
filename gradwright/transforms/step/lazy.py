"""Lazy: leave still what got no gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.ops import largest, where
from gradwright.core.transform import STEP, State
from gradwright.transforms.common.matrices import matrix_dimensions


@dataclass(frozen=True)
class Lazy(Transform):
    """Make no step, decay included, where the gradient is exactly zero.

    Methods that forget the size of the gradient go on moving by what a momentum still holds, however little that is:
    the sign of an embedding's row whose token is rare, the matrix of an expert that got no token. Stands at the end of
    a chain. Momenta go on decaying. An L2 penalty in the gradient leaves nothing exactly zero.

    Args:
        each: what is left still: ``"matrix"``, the whole parameter (each matrix of a stack by itself), or ``"row"``,
            each index of all dimensions but the last.
        only: a selector of the parameters it applies to.
    """

    each: Literal["matrix", "row"] = "matrix"
    only: str = "*"
    stage: ClassVar[int] = STEP

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.each not in ("matrix", "row"):
            raise ValueError(f"Lazy: each={self.each!r} is unknown; known are matrix, row")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        return where(largest(torch.abs(ctx.grad), self._keep(ctx.spec)) == 0, torch.zeros_like(u), u), state

    def _keep(self, spec: ParamSpec) -> tuple[int, ...]:
        if self.each == "row":
            return tuple(range(spec.own_ndim - 1))
        return matrix_dimensions(spec)
