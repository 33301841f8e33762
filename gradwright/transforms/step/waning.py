"""Sizes that fall with the age of a parameter by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, HostScalar, ParamSpec, Transform
from gradwright.core.transform import STEP, Slots, State


@dataclass(frozen=True)
class InverseTime(Transform):
    """u ← u / (1 + (t − 1) rate): the first step is whole, and the steps add up as a logarithm.

    Args:
        rate: how fast steps fall, at least 0.
    """

    rate: float
    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u / (1 + (ctx.step - 1) * self.rate), state


@dataclass(frozen=True)
class WaningScale(Transform):
    """ASGD's learning rate: u ← ηₜ u, with η₁ = size and ηₜ₊₁ = size / (1 + rate · size · t)^power.

    ηₜ₊₁ is kept from step t on, so that a schedule of ``size`` acts a step late, as in torch.

    Args:
        size: the first η.
        rate: how fast it falls, at least 0.
        power: the exponent, at least 0.
    """

    size: float
    rate: float
    power: float
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"eta": HostScalar()}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        eta = self.size if ctx.step == 1 else state["eta"]
        return eta * u, {"eta": self.size / (1 + self.rate * self.size * ctx.step) ** self.power}
