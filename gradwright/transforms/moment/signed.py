"""Moments that are put together otherwise than as an average of squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot
from gradwright.core.number import as_float
from gradwright.core.ops import total, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.moments import Estimate, Moment


@dataclass(frozen=True)
class QuasiSquare(Moment):
    """Put a moment and the square of the gradient together: ν v̂ + (1 − ν) g².

    Args:
        of: the moment.
        nu: ν, in [0, 1]; 1 leaves the moment as it is.
    """

    of: Moment
    nu: float
    bounds: ClassVar = {"nu": (0.0, 1.0 + 1e-12)}

    def slots(self, spec: ParamSpec) -> Slots:
        return self.of.slots(spec)

    def check(self, spec: ParamSpec) -> None:
        self.of.check(spec)

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        estimate, changed = self.of.estimate(u, state, ctx)
        return Estimate(self.nu * estimate.square + (1 - self.nu) * (ctx.grad * ctx.grad)), changed


@dataclass(frozen=True)
class SignedSquare(Moment):
    """Ano's moment: v ← β v + (1 − β) sign(g² − v) g², corrected by 1 − βᵗ.

    It decays as an average does, and a gradient smaller than it expects takes away what a larger one adds. With β of
    ½ or more it is never negative; below that it is cut off at 0.

    Args:
        beta: β, in [0, 1).
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot()}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        square = ctx.grad * ctx.grad
        v = self.beta * state["v"] + (1 - self.beta) * (torch.sign(square - state["v"]) * square)
        v = where(v < 0, torch.zeros_like(square), v)
        return Estimate(v, correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class AdditiveSquare(Moment):
    """Yogi's moment: v ← v − (1 − β) sign(v − g²) g², corrected by 1 − βᵗ.

    It goes down as slowly as it goes up: after one gradient of 100 it takes a million of 0.1 to forget it. It is kept
    in float32 at least, of which the last digits count.

    Args:
        beta: β, in [0, 1).
        start: v₀ ≥ 0, with which every entry begins. It is read when the state is made, so that it is no knob.
    """

    beta: float
    start: Any = 1e-6
    bounds: ClassVar = {"beta": FRACTION}

    def __post_init__(self) -> None:
        super().__post_init__()
        start = as_float("AdditiveSquare: start", self.start)
        if not 0 <= start < math.inf:
            raise ValueError(f"AdditiveSquare: start={start:g} must be a finite number of at least 0")
        object.__setattr__(self, "start", start)

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(start=self.start, dtype=spec.computing_dtype)}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        v, square = state["v"], ctx.grad * ctx.grad
        v = v - (1 - self.beta) * (torch.sign(v - square) * square)
        return Estimate(v, correction=1 - self.beta**ctx.step), {"v": v}


@dataclass(frozen=True)
class TensorSquare(Moment):
    """NovoGrad's moment, one number a tensor: v ← β v + (1 − β) ‖g‖², which starts as the first ‖g‖² that is not zero.

    It is a sum over the entries and not their mean, so that what is divided by its root has length 1.

    Args:
        beta: β, in [0, 1).
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(keep=())}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        square = total(ctx.grad * ctx.grad)
        v = where(state["v"] == 0, square, self.beta * state["v"] + (1 - self.beta) * square)
        return Estimate(v), {"v": v}
