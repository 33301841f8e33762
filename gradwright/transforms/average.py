"""Averages of the weights: parts that move the weights in a way of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core import Context, Number, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, minimum
from gradwright.core.transform import WEIGHTS, Slots, State


@dataclass(frozen=True)
class Lookahead(Transform):
    """Every k steps, go back to a point on the way from the slow weights to the fast ones.

    Each step: θ ← p − u.   Every k-th: φ ← φ + α (θ − φ), θ ← φ.   arXiv:1907.08610.

    The cycle follows the optimizer's clock, so all tensors meet at the same step. The slow weights start as the
    parameter before its first step.

    Args:
        k: steps in a cycle, at least 1.
        alpha: α, how far the slow weights follow, in [0, 1].
    """

    k: int = 5
    alpha: float = 0.5
    stage: ClassVar[int] = WEIGHTS
    bounds: ClassVar = {"alpha": (0.0, 1.0 + 1e-12)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            raise ValueError(f"Lookahead: k={self.k} must be at least 1")

    def slots(self, spec: ParamSpec) -> Slots:
        return {"slow": Slot(start="param")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if ctx.clock % self.k != 0:
            return u, state
        slow = state["slow"]
        slow = slow + self.alpha * (ctx.param - u - slow)
        return ctx.param - slow, {"slow": slow}


@dataclass(frozen=True)
class ScheduleFree(Transform):
    """Train at y, between a fast iterate z and its running average x, and evaluate at x; no schedule is needed.

    η = size · min(1, t / warmup),   w = tʳ · (largest η so far)ᵖ,   c = w / Σ w
    z⁺ = z − η u,   x⁺ = (1 − c) x + c z⁺,   y⁺ = β x⁺ + (1 − β) z⁺

    The parameter holds y, the state holds z, and x = y + (1 − 1/β)(z − y). arXiv:2405.15682.

    Args:
        size: the learning rate; its schedule, if any, enters the weights w.
        beta: β, in (0, 1).
        warmup: steps over which η rises; 0 for none.
        r: power of t in w.
        power: p, power of η in w.
    """

    size: float
    beta: float = 0.9
    warmup: float = 0.0
    r: float = 0.0
    power: float = 2.0
    stage: ClassVar[int] = WEIGHTS
    bounds: ClassVar = {"beta": (1e-6, 1.0)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"z": Slot(start="param"), "weight_sum": Number(), "size_max": Number()}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        # no Python decisions: a kernel would be made again when a schedule turns
        eta = self.size * minimum(1.0, ctx.step / maximum(self.warmup, 1.0))
        size_max = maximum(state["size_max"], eta)
        weight = ctx.step**self.r * size_max**self.power
        weight_sum = state["weight_sum"] + weight
        c = weight / weight_sum if weight_sum > 0 else 0.0
        y, z = ctx.param, state["z"]
        move = c * (y - z) + eta * (1 - self.beta * (1 - c)) * u
        return move, {"z": z - eta * u, "weight_sum": weight_sum, "size_max": size_max}

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        return p + (1 - 1 / self.beta) * (state["z"] - p)
