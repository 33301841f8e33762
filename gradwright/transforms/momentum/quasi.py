"""Momenta that are put together: with the gradient itself, or of several memories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class QuasiHyperbolic(Transform):
    """Put an average and the gradient together: u ← ν u + (1 − ν) g.

    Args:
        nu: ν, in [0, 1]; 1 leaves the average as it is.
    """

    nu: float
    bounds: ClassVar = {"nu": (0.0, 1.0 + 1e-12)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return self.nu * u + (1 - self.nu) * ctx.grad, state


@dataclass(frozen=True)
class AggregateMomentum(Transform):
    """The mean of three heavy balls of different memories: mᵢ ← βᵢ mᵢ + u;   u ← (m₁ + m₂ + m₃) / 3.

    The quick ones damp the swings of the slow one.

    Args:
        beta1, beta2, beta3: in [0, 1); with 0 a ball is the gradient.
    """

    beta1: float = 0.0
    beta2: float = 0.9
    beta3: float = 0.99
    bounds: ClassVar = {"beta1": FRACTION, "beta2": FRACTION, "beta3": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m1": Slot(), "m2": Slot(), "m3": Slot()}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m1 = self.beta1 * state["m1"] + u
        m2 = self.beta2 * state["m2"] + u
        m3 = self.beta3 * state["m3"] + u
        return (m1 + m2 + m3) / 3, {"m1": m1, "m2": m2, "m3": m3}
