"""Moments with one number for a whole tensor, or for each of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot
from gradwright.core.ops import maximum, mean
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.common.rows import row_dims
from gradwright.transforms.moment.moments import Estimate, Moment


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
