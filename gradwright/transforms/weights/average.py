"""Averages of the weights to evaluate with, kept beside training and without any influence on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from gradwright.core import Context, ParamSpec, Part, Slot, Transform
from gradwright.core.ops import lerp, maximum
from gradwright.core.transform import WEIGHTS, Slots, State

STARTS = ("debias", "ramp", "power", "none")


@dataclass(frozen=True)
class Window(Part):
    """How an average forgets: a field of ``WeightAverage``, not a transform."""

    def share(self, t: Any) -> Any:
        """The share of the newest weights in the average of ``t`` weights."""
        raise NotImplementedError


@dataclass(frozen=True)
class Exponential(Window):
    """The newest weights count 1 − β, all older ones β times what they did: x̄ ← βₜ x̄ + (1 − βₜ) x.

    Args:
        beta: β, in [0, 1).
        start: what keeps the weights before the first step from counting for 1 / (1 − β) steps.
            ``"debias"``: βₜ = β (1 − βᵗ⁻¹) / (1 − βᵗ), Adam's correction: they do not count at all.
            ``"ramp"``: βₜ = min(β, (1 + t) / (10 + t)), TensorFlow's.
            ``"power"``: βₜ = min(β, 1 − t^(−2/3)), as timm warms up.
            ``"none"``: βₜ = β; they count in full.
    """

    beta: float = 0.999
    start: Literal["debias", "ramp", "power", "none"] = "debias"
    bounds: ClassVar = {"beta": (0.0, 1.0)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start not in STARTS:
            raise ValueError(f"Exponential: start={self.start!r} is unknown; known are {', '.join(STARTS)}")

    def share(self, t: Any) -> Any:
        if self.start == "debias":
            return (1 - self.beta) / (1 - self.beta**t)
        if self.start == "ramp":
            return maximum(1 - self.beta, 9 / (10 + t))
        if self.start == "power":
            return maximum(1 - self.beta, t ** (-2 / 3))
        return 1 - self.beta


@dataclass(frozen=True)
class PowerFunction(Window):
    """Weights of age τ out of t steps count (τ / t)^γ, at every t: x̄ ← βₜ x̄ + (1 − βₜ) x, βₜ = (1 − 1/t)^(γ + 1).

    Its width grows with the run, so that it needs no warm-up and suits any length. γ = 0 is the plain mean.
    arXiv:2312.02696.

    Args:
        gamma: γ, at least 0; :func:`gamma_of_width` finds it for a width relative to the run.
    """

    gamma: float

    def share(self, t: Any) -> Any:
        return 1 - (1 - 1 / t) ** (self.gamma + 1)


@dataclass(frozen=True)
class PolynomialDecay(Window):
    """Shamir and Zhang's average of the last part of a run: x̄ ← (1 − w) x̄ + w x, w = (1 + γ) / (t + γ).

    γ = 0 is the plain mean. ICML 2013.

    Args:
        gamma: γ, at least 0; 8 in the paper of DoG.
    """

    gamma: float = 8.0

    def share(self, t: Any) -> Any:
        return (1 + self.gamma) / (t + self.gamma)


@dataclass(frozen=True)
class LateMean(Window):
    """The mean of all weights after the first ``start`` steps, and the newest weights before that: ASGD's.

    The share of the newest is 1 / max(1, t − 1 − start).

    Args:
        start: at least 0.
    """

    start: float

    def share(self, t: Any) -> Any:
        return 1 / maximum(1.0, t - 1 - self.start)


@dataclass(frozen=True)
class WeightTrack(Transform):
    """Keep an average of the weights; neither training nor evaluation notices.

    x̄ ← x̄ + w (x − x̄), with x the weights after the step and w the share that ``window`` gives them.

    The average is kept in float32 at least: in a half type the last digits of x̄ would swallow w (x − x̄). A parameter
    that joins late has an average of its own age.

    Args:
        window: how it forgets.
    """

    window: Window
    stage: ClassVar[int] = WEIGHTS
    observes: ClassVar[bool] = True

    def slots(self, spec: ParamSpec) -> Slots:
        return {"average": Slot(start="param", dtype=spec.computing_dtype)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u, {"average": lerp(state["average"], ctx.param - u, self.window.share(ctx.step))}


@dataclass(frozen=True)
class WeightAverage(WeightTrack):
    """Keep an average of the weights, as :class:`WeightTrack`, and evaluate at it."""

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        average: Tensor = state["average"]
        return average


def width_of_gamma(gamma: float) -> float:
    """The standard deviation, relative to the run, of the profile τ^γ: √((γ + 1) / ((γ + 2)² (γ + 3)))."""
    return math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))


def gamma_of_width(sigma_rel: float) -> float:
    """The γ of the power function whose profile has that width relative to the run.

    It is the largest root of γ³ + 7 γ² + (16 − σ⁻²) γ + 12 − σ⁻², here in Viète's closed form.

    >>> round(gamma_of_width(0.1), 6)
    6.937204

    Args:
        sigma_rel: σ, in (0, 0.288]; 0.05 and 0.1 in the paper.

    Raises:
        ValueError: it is outside that range; wider than 1 / √12 is not even the plain mean.
    """
    if not 0 < sigma_rel <= 12**-0.5:
        raise ValueError(f"sigma_rel={sigma_rel:g} is outside (0, 0.288]; the mean of the whole run has 0.288")
    s = sigma_rel**-2
    p, q = -1 / 3 - s, 2 / 27 + 4 / 3 * s
    cosine = max(-1.0, min(1.0, 1.5 * q / p * math.sqrt(-3 / p)))
    return max(0.0, 2 * math.sqrt(-p / 3) * math.cos(math.acos(cosine) / 3) - 7 / 3)
