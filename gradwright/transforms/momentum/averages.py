"""Momentum: what the direction remembers of earlier gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, HostScalar, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.ops import sqrt, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class Ema(Transform):
    """An exponential moving average of the update.

    m ← β m + (1 − β) u;   u ← m,   or (1 − β) u + β m with ``nesterov``;   divided by 1 − βᵗ with ``debias``.

    Args:
        beta: the decay rate β, in [0, 1).
        debias: undo the start from zero.
        nesterov: look one step ahead.
    """

    beta: float
    debias: bool = False
    nesterov: bool = False
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m = self.beta * state["m"] + (1 - self.beta) * u
        u = (1 - self.beta) * u + self.beta * m if self.nesterov else m
        if self.debias:
            u = u / (1 - self.beta**ctx.step)
        return u, {"m": m}

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        return u, {"m": state["m"] + (1 - self.beta) / self.beta * u}


@dataclass(frozen=True)
class Debias(Transform):
    """Undo the start from zero of an average that an earlier link made: u ← u / (1 − βᵗ)."""

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u / (1 - self.beta**ctx.step), state


@dataclass(frozen=True)
class CorrectAdam(Transform):
    """Undo the start from zero of both of Adam's averages, where they were divided as they are.

    u ← u √(1 − β₂ᵗ) / (1 − β₁ᵗ)

    Args:
        beta1: β₁ of the momentum, in [0, 1).
        beta2: β₂ of the moment, in [0, 1).
    """

    beta1: float
    beta2: float
    bounds: ClassVar = {"beta1": FRACTION, "beta2": FRACTION}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u * (sqrt(1 - self.beta2**ctx.step) / (1 - self.beta1**ctx.step)), state


@dataclass(frozen=True)
class HeavyBall(Transform):
    """The momentum of ``torch.optim.SGD``: a decaying sum rather than an average.

    m₁ = u₁,   m ← μ m + (1 − d) u;   u ← m,   or u + μ m with ``nesterov``.

    Args:
        momentum: μ, in [0, 1).
        dampening: d, at least 0; does not apply to the first step.
        nesterov: look one step ahead.
    """

    momentum: float
    dampening: float = 0.0
    nesterov: bool = False
    bounds: ClassVar = {"momentum": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        # m is zero before the first step, unless micro-batches have been gathered in it
        m = self.momentum * state["m"] + self._damped(u, ctx)
        return (u + self.momentum * m if self.nesterov else m), {"m": m}

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        return u, {"m": state["m"] + self._damped(u, ctx) / self.momentum}

    def _damped(self, u: Any, ctx: Context) -> Any:
        return u if ctx.step == 1 else (1 - self.dampening) * u


@dataclass(frozen=True)
class TwoSpeed(Transform):
    """Lion's momentum: the direction weighs the newest gradient more than the average that is kept does.

    u ← β₁ m + (1 − β₁) g;   then m ← β₂ m + (1 − β₂) g.

    Args:
        beta1: β₁ of the direction, in [0, 1).
        beta2: β₂ of the average, in [0, 1).
    """

    beta1: float
    beta2: float
    bounds: ClassVar = {"beta1": FRACTION, "beta2": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m = state["m"]
        direction = self.beta1 * m + (1 - self.beta1) * u
        return direction, {"m": self.beta2 * m + (1 - self.beta2) * u}


@dataclass(frozen=True)
class NesterovSchedule(Transform):
    """Dozat's Nesterov momentum with a momentum that warms up, bias-corrected by its running product.

    μₜ = β (1 − ½ · 0.96^(t ψ)),   Πₜ = μ₁ ⋯ μₜ
    m ← β m + (1 − β) g
    u ← (1 − μₜ) / (1 − Πₜ) · g + μₜ₊₁ / (1 − Πₜ μₜ₊₁) · m

    Args:
        beta: β, in [0, 1).
        momentum_decay: ψ, at least 0; 4e-3 in Dozat's report.
        follow: average m with μₜ as the report does, instead of with β as ``torch.optim.NAdam`` does.
    """

    beta: float
    momentum_decay: float = 4e-3
    follow: bool = False
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment"), "product": HostScalar(1.0)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        now, following = self._momentum(ctx.step), self._momentum(ctx.step + 1)
        product = state["product"] * now
        beta = now if self.follow else self.beta
        m = beta * state["m"] + (1 - beta) * u
        u = (1 - now) / (1 - product) * u + following / (1 - product * following) * m
        return u, {"m": m, "product": product}

    def _momentum(self, step: float) -> float:
        return self.beta * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))


@dataclass(frozen=True)
class NesterovDebiased(Transform):
    """optax's Nesterov average: memory and gradient are each corrected for their own age.

    m ← β m + (1 − β) g;   u ← β m / (1 − βᵗ⁺¹) + (1 − β) g / (1 − βᵗ).
    """

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m = self.beta * state["m"] + (1 - self.beta) * u
        ahead = self.beta * m / (1 - self.beta ** (ctx.step + 1))
        return ahead + (1 - self.beta) * u / (1 - self.beta**ctx.step), {"m": m}


@dataclass(frozen=True)
class AccumulatingEma(Transform):
    """Tiger's average, which gathers ``every`` micro-batches in its own buffer.

    The memory decays at the first micro-step of a cycle only, and each gradient enters with weight (1 − β) / k,
    so that k micro-steps equal one step on the mean gradient and no gradient buffer is needed:

    m ← (β or 1) m + (1 − β) / k · g.   A gradient that holds a NaN leaves m as it was.

    Args:
        beta: the decay rate over whole cycles, in [0, 1).
        every: k, the number of micro-steps in a cycle.
    """

    beta: float
    every: int = 1
    bounds: ClassVar = {"beta": FRACTION, "every": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m = state["m"]
        kept = self.beta * m if (ctx.clock - 1) % self.every == 0 else m
        gathered = kept + (1 - self.beta) / self.every * u
        m = where(u.isnan().any(), m, gathered)
        return m, {"m": m}

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        gathered = state["m"] + (1 - self.beta) / self.beta * u
        return u, {"m": where(u.isnan().any(), state["m"], gathered)} if self.every == 1 else {}
