"""Rows and columns of one length: Sinkhorn's iteration, and averages of their squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import mean, sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.common.matrices import (
    check_matrix,
    column_dimensions,
    per_block,
    row_dimensions,
)


@dataclass(frozen=True)
class Sinkhorn(Transform):
    """SinkGD's direction: u ← √m u / ‖row‖, then u ← √n u / ‖column‖, some times over. arXiv:2502.06742.

    Of an n × m matrix; a kernel is (out, in · kh · kw), and each matrix of a stack is on its own. At the end columns
    have exactly the root mean square 1 and rows nearly so. Rows and columns of zeros stay zero.

    Args:
        iterations: how often, from 1 to 100.
    """

    iterations: int = 5
    bounds: ClassVar = {"iterations": (1, 101)}

    def check(self, spec: ParamSpec) -> None:
        check_matrix("Sinkhorn", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return per_block(self._iterated, ctx.spec, 1, u), state

    def _iterated(self, x: Tensor) -> Tensor:
        """In plain torch: in a kernel the last sweep would compute all before it anew."""
        for _ in range(self.iterations):
            for dim in (-1, -2):
                long = x.norm(dim=dim, keepdim=True)
                x = x * torch.where(long > 0, math.sqrt(x.shape[dim]) / long, 0.0)
        return x


@dataclass(frozen=True)
class RowColumnScale(Transform):
    """RACS's division by averages over rows and over columns: u ← u / (√(s + ε) √(q + ε)). arXiv:2502.07752.

    s ← β s + (1 − β) mean over columns of g², from 0;   q ← β q + (1 − β) mean over rows of g², from 1

    Args:
        beta: β, in [0, 1).
        eps: ε.
    """

    beta: float = 0.9
    eps: float = 1e-8
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"row": Slot(keep=row_dimensions(spec)), "column": Slot(keep=column_dimensions(spec), start=1.0)}

    def check(self, spec: ParamSpec) -> None:
        check_matrix("RowColumnScale", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        square = ctx.grad * ctx.grad
        row = self.beta * state["row"] + (1 - self.beta) * mean(square, row_dimensions(ctx.spec))
        column = self.beta * state["column"] + (1 - self.beta) * mean(square, column_dimensions(ctx.spec))
        return u / (sqrt(row + self.eps) * sqrt(column + self.eps)), {"row": row, "column": column}
