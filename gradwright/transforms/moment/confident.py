"""CAME's two halves: a factored moment at a constant rate, and a momentum that is divided by its own unsteadiness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.moments import Estimate, Factored, Moment

AXES = Factored()


@dataclass(frozen=True)
class FactoredEma(Moment):
    """Adafactor's moment at a constant rate and without correction: averages of g² + ε over rows and over columns.

    R ← β R + (1 − β) mean over columns of g² + ε,   C alike over rows;   √E[g²]ᵢⱼ ≈ √(Rᵢ / mean R) √Cⱼ

    Both begin at zero, so that the first estimate is 1 − β times too small. Vectors keep every entry.

    Args:
        beta: β, in [0, 1).
        eps: ε.
    """

    beta: float
    eps: float = 1e-30
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return AXES.slots(spec)

    def check(self, spec: ParamSpec) -> None:
        AXES.check(spec)

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        s = ctx.grad * ctx.grad + self.eps
        if ctx.spec.own_ndim < 2:
            v = self.beta * state["v"] + (1 - self.beta) * s
            return Estimate(v), {"v": v}
        row, column, row_mean = AXES.averages(s, state, self.beta, ctx.spec)
        return Estimate(root=sqrt(row / row_mean) * sqrt(column)), {"row": row, "column": column}


@dataclass(frozen=True)
class ConfidentEma(Transform):
    """Average the update, and divide the average by a factored estimate of how far updates lie from it.

    m ← β m + (1 − β) u;   s = (u − m)² + ε;   R, C ← averages of s at the rate β₃, as in :class:`FactoredEma`
    u ← m / (√(R / mean R) √C),   with ``debias`` of R and C divided by 1 − β₃ᵗ

    Vectors are averaged and not divided.

    Args:
        beta: β, in [0, 1).
        beta3: β₃, in [0, 1).
        eps: ε.
        debias: undo the start of R and C from zero.
    """

    beta: float = 0.9
    beta3: float = 0.9999
    eps: float = 1e-16
    debias: bool = False
    bounds: ClassVar = {"beta": FRACTION, "beta3": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(), **(AXES.slots(spec) if spec.own_ndim > 1 else {})}

    def check(self, spec: ParamSpec) -> None:
        AXES.check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m = self.beta * state["m"] + (1 - self.beta) * u
        if ctx.spec.own_ndim < 2:
            return m, {"m": m}
        s = (u - m) * (u - m) + self.eps
        row, column, row_mean = AXES.averages(s, state, self.beta3, ctx.spec)
        root = sqrt(row / row_mean) * sqrt(column)
        if self.debias:
            root = root / sqrt(1 - self.beta3**ctx.step)
        return m / root, {"m": m, "row": row, "column": column}
