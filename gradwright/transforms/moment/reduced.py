"""Moments with one number for a whole tensor, for each of its rows, or for each of its rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot
from gradwright.core.number import WHOLE
from gradwright.core.ops import maximum, mean, sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.common.matrices import (
    block_dimensions,
    block_shape,
    check_blocks,
    from_blocks,
    in_blocks,
)
from gradwright.transforms.common.rows import row_dims
from gradwright.transforms.moment.moments import Estimate, Moment

TINY = 1e-37
"""Divided by where all gradients were zero, so that nothing is divided by nothing."""


@dataclass(frozen=True)
class PerTensor(Moment):
    """One number for the whole tensor: v ← β v + (1 − β) mean(g²), corrected by 1 − βᵗ.

    Args:
        beta: β, in [0, 1).
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(keep=())}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        v = self.beta * state["v"] + (1 - self.beta) * mean(ctx.grad * ctx.grad)
        return Estimate(v, correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class PerRow(Moment):
    """One number for each row: v ← β v + (1 − β) (mean of g² over the row), corrected by 1 − βᵗ.

    Rows are those of :func:`row_dims`: the entries of a vector, the filters of a convolution.

    Args:
        beta: β, in [0, 1).
        floor: divide by max(v, floor), taken before the correction; 0 for none.
        only: a selector of the parameters that have rows; of the others one number is kept.
    """

    beta: float
    floor: float = 0.0
    only: str = "*"
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(keep=row_dims(spec, self.only))}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        square = mean(ctx.grad * ctx.grad, row_dims(ctx.spec, self.only))
        v = self.beta * state["v"] + (1 - self.beta) * square
        return Estimate(maximum(v, self.floor), correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class PerBlock(Moment):
    """One number for each of several equal blocks of rows: v ← β v + (1 − β) (mean of g² over the block).

    Corrected by 1 − βᵗ. The blocks are the heads of a query or key matrix; each matrix of a stack has its own.

    Args:
        beta: β, in [0, 1).
        split: the number of blocks, at least 1.
    """

    beta: float
    split: int
    bounds: ClassVar = {"beta": FRACTION, "split": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(keep=block_dimensions(spec, self.split), of=block_shape(spec, self.split))}

    def check(self, spec: ParamSpec) -> None:
        check_blocks("PerBlock", spec, self.split)

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        blocks = in_blocks(ctx.grad * ctx.grad, ctx.spec, self.split)
        v = self.beta * state["v"] + (1 - self.beta) * mean(blocks, block_dimensions(ctx.spec, self.split))
        everywhere = from_blocks(torch.zeros_like(blocks) + v, ctx.spec, self.split)
        return Estimate(everywhere, correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class RowsAndColumns(Moment):
    """Adam's moment in the space of its row and column means.

    R ← β R + (1 − β) (mean of g² over each row),   C ← β C + (1 − β) (mean of g² over each column)
    E[g²]ᵢⱼ ≈ Rᵢ Cⱼ / mean(R), corrected by 1 − βᵗ

    Rows are those of :func:`row_dims`, so that a stack of matrices has rows of each and columns in common, and a kernel
    (out, in · kh · kw). What has no columns, a vector or a number, keeps every entry. Beside
    :class:`~gradwright.transforms.Factored`, Adafactor's own, β does not depend on the age, and nothing is added to g².

    Args:
        beta: β, in [0, 1).
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        rows, columns = _rows_and_columns(spec)
        return {"row": Slot(keep=rows), "column": Slot(keep=columns)} if columns else {"v": Slot(keep=rows)}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        rows, columns = _rows_and_columns(ctx.spec)
        square, correction = ctx.grad * ctx.grad, 1 - self.beta**ctx.step
        if not columns:
            v = self.beta * state["v"] + (1 - self.beta) * square
            return Estimate(v, correction=correction), {"v": v}
        row = self.beta * state["row"] + (1 - self.beta) * mean(square, rows)
        column = self.beta * state["column"] + (1 - self.beta) * mean(square, columns)
        root = sqrt(row / maximum(mean(row), TINY)) * sqrt(column)
        return Estimate(root=root, correction=correction), {"row": row, "column": column}


def _rows_and_columns(spec: ParamSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimensions that count rows, and those that count columns."""
    rows = tuple(range(spec.ndim)) if spec.own_ndim < 2 else row_dims(spec)
    return rows, tuple(dim for dim in range(spec.ndim) if dim not in rows)
