"""Full-size moments that differ from Adam's: in what they average, and in what they add or leave out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot
from gradwright.core.number import as_float
from gradwright.core.ops import maximum
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.moments import Estimate, Moment


@dataclass(frozen=True)
class FullPlusEps(Moment):
    """A second moment that stores its ε: v ← β v + (1 − β) g² + ε, corrected by 1 − βᵗ.

    Without gradients v / (1 − βᵗ) is ε / (1 − β) at every step, so that the root of it never falls below
    √(ε / (1 − β)): 3.2e-3 for ε = 1e-8 and β = 0.999, where Adam's ε outside the root is 1e-8.

    Args:
        beta: β, in [0, 1).
        eps: ε.
        averaged: add ε to the square before it is averaged, v ← β v + (1 − β) (g² + ε), whose floor is √ε.
    """

    beta: float
    eps: float = 1e-8
    averaged: bool = False
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(role="square")}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        share = (1 - self.beta) * self.eps if self.averaged else self.eps
        v = self.beta * state["v"] + (1 - self.beta) * (ctx.grad * ctx.grad) + share
        return Estimate(v, correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class UpdateSquare(Moment):
    """AdaMomentum's moment, of the update that arrives instead of the gradient: v ← β v + (1 − β) u² + ε.

    Corrected by 1 − βᵗ; ε is stored, so it gathers to ε / (1 − β).
    """

    beta: float
    eps: float = 1e-8
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(role="square")}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        v = self.beta * state["v"] + (1 - self.beta) * (u * u) + self.eps
        return Estimate(v, correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class Lagged(Moment):
    """ADOPT's moment, of the gradients before this one, so that a gradient is not divided by a part of itself.

    The estimate is v as it stands; then v ← β v + (1 − β) g². v starts as the first g², without correction, and the
    first estimate, which has nothing before it, is that too.
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(role="square")}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        square = ctx.grad * ctx.grad
        if ctx.step == 1:
            return Estimate(square), {"v": square}
        v = state["v"]
        return Estimate(v), {"v": self.beta * v + (1 - self.beta) * square}


@dataclass(frozen=True)
class InfinityNorm(Moment):
    """Adamax's moment, a decaying maximum of the gradient's size: r ← max(β r, |g| + ε), which is its own root.

    It needs no correction. ε is inside, as in ``torch.optim.Adamax``, so that a first gradient of zero does no harm.
    """

    beta: float
    eps: float = 1e-8
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"r": Slot(role="square")}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        r = maximum(self.beta * state["r"], abs(ctx.grad) + self.eps)
        return Estimate(root=r), {"r": r}


@dataclass(frozen=True)
class Uncorrected(Moment):
    """A moment taken as it is, without undoing its start from zero: early steps are longer by 1 / √(1 − βᵗ)."""

    of: Moment

    def slots(self, spec: ParamSpec) -> Slots:
        return self.of.slots(spec)

    def check(self, spec: ParamSpec) -> None:
        self.of.check(spec)

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        estimate, changed = self.of.estimate(u, state, ctx)
        return Estimate(estimate.raw_square), changed


@dataclass(frozen=True)
class Sum(Moment):
    """AdaGrad's moment, which forgets nothing: s ← s + g², from s₀ on. Without correction; steps shrink as 1 / √t.

    It is kept in float32 at least: in a half type a new square is soon less than the last digit of the sum.

    Args:
        start: s₀ ≥ 0, what every entry begins with. It is read when the state is made, so that it is no knob.
    """

    start: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        start = as_float("Sum: start", self.start)
        if not 0 <= start < math.inf:
            raise ValueError(f"Sum: start={start:g} must be a finite number of at least 0")
        object.__setattr__(self, "start", start)

    def slots(self, spec: ParamSpec) -> Slots:
        return {"sum": Slot(start=self.start, dtype=spec.computing_dtype)}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        s = state["sum"] + ctx.grad * ctx.grad
        return Estimate(s), {"sum": s}


@dataclass(frozen=True)
class Centered(Moment):
    """The variance of the gradient around its own average, without correction: v − q².

    v ← β v + (1 − β) g²;   q ← β q + (1 − β) g

    Of gradients that stay the same it goes to zero, where rounding decides: it is cut off at 0, so that the root of it
    is a number.

    Args:
        beta: β, in [0, 1).
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(), "q": Slot()}  # exact: what is left of their difference is less than a few bits' rounding

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        v = self.beta * state["v"] + (1 - self.beta) * (ctx.grad * ctx.grad)
        q = self.beta * state["q"] + (1 - self.beta) * ctx.grad
        return Estimate(maximum(v - q * q, 0.0)), {"v": v, "q": q}
