"""Constrain: a bound on the size of each tensor, held by a Lagrange multiplier, in place of weight decay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.ops import maximum, mean, minimum, sqrt, total, where
from gradwright.core.transform import WEIGHTS, Slots, State

BOUNDS = ("uniform", "dependent", "warm_start", "inflection_point")
MEASURES = ("l2", "l1", "std", "huber")
FIRST_SAMPLE = 4
"""The fourth sample is the first whose slope can be compared with one that no start of the average has bent."""
TINY = 1e-30


@dataclass(frozen=True)
class Constrain(Transform):
    """Constrained parameter regularisation (CPR): R(θ) ≤ κ for each tensor, with a multiplier λ ≥ 0.

    θ is what the links before it make of the weights, n the number of its entries:

    λ ← max(0, λ + μ / n · (R(θ) − κ)),   θ ← θ − ρ λ ∇R(θ)       (μ alone for ``"std"``).   arXiv:2311.09058.

    R is Σ θ² (``"l2"``), Σ |θ| (``"l1"``), the standard deviation (``"std"``) or Σ huber(θ) with its knee at 1. The
    bound κ of a tensor is

    - ``"uniform"``: ``kappa`` itself;
    - ``"dependent"``: ``kappa`` times R of the weights before their first step;
    - ``"warm_start"``: R after ``kappa`` steps, held from then on;
    - ``"inflection_point"``: R at the first sample at which its growth slows: every ``every`` steps R enters an
      average with decay ``memory``, and from the fourth sample on κ is set where the average rose by less than before.

    Until κ is set, and where it would be zero (a tensor that starts at zero), nothing is constrained. λ is held where
    one step takes half of the weights (for ``"std"`` of their distance from the mean, for ``"l1"`` half of their mean
    size, and no weight beyond zero): the authors' code overshoots and diverges once 2 λ passes 1. Deviations from that
    code: R of the chosen measure is sampled where it samples Σ θ² alone, the average starts at its first sample, and no
    number (theirs is 1000) stands for a bound that is not set.

    Args:
        kappa: what the bound is made from, greater than 0; not used by ``"inflection_point"``.
        bound: how.
        measure: R.
        mu: μ.
        every: steps between two samples, at least 1.
        memory: the decay of the average of samples, in [0, 1).
        rate: ρ: 1, or the learning rate.
        only: a selector of the parameters it applies to.
        lr_power: 1 where ρ is the learning rate.
    """

    kappa: float = 1.0
    bound: Literal["uniform", "dependent", "warm_start", "inflection_point"] = "inflection_point"
    measure: Literal["l2", "l1", "std", "huber"] = "l2"
    mu: float = 1.0
    every: int = 200
    memory: float = 0.9
    rate: float = 1.0
    only: str = "!vector & !scalar & !bias & !norm & !embedding"
    lr_power: int = 0
    stage: ClassVar[int] = WEIGHTS
    displaces: ClassVar[bool] = True
    bounds: ClassVar = {"kappa": (TINY, math.inf), "memory": (0.0, 1.0), "every": (1, WHOLE), "lr_power": (0, 2)}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("bound", BOUNDS), ("measure", MEASURES)):
            if (given := getattr(self, name)) not in known:
                raise ValueError(f"Constrain: {name}={given!r} is unknown; known are {', '.join(known)}")

    @property
    def rates(self) -> Mapping[str, int]:  # type: ignore[override]
        return {"rate": self.lr_power} if self.lr_power else {}

    def applies(self, spec: ParamSpec) -> bool:
        # a single entry has no standard deviation
        return spec.matches(self.only) and (self.measure != "std" or spec.numel > 1)

    def slots(self, spec: ParamSpec) -> Slots:
        if not self.applies(spec):
            return {}
        own = {"uniform": (), "inflection_point": ("kappa", "average", "slope")}.get(self.bound, ("kappa",))
        return {name: Slot(keep=()) for name in ("multiplier", *own)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not self.applies(ctx.spec):
            return u, state
        weights = ctx.param - u
        size, slope, share = self._measured(weights, ctx.spec.numel)
        kappa, changed = self._bound(size, state, ctx)
        gain = self.mu if self.measure == "std" else self.mu / ctx.spec.numel
        multiplier = maximum(state["multiplier"] + gain * (size - kappa), 0.0)
        multiplier = minimum(multiplier, 0.5 / (share * maximum(self.rate, TINY)))
        multiplier = where(kappa > 0, multiplier, torch.zeros_like(multiplier))
        pull = self.rate * multiplier * slope
        if self.measure == "l1":
            pull = maximum(minimum(pull, torch.abs(weights)), -torch.abs(weights))
        return u + pull, {**changed, "multiplier": multiplier}

    def _measured(self, weights: Any, count: int) -> tuple[Any, Any, Any]:
        """R, its gradient, and the share of the weights that a multiplier of one would take."""
        if self.measure == "l2":
            return total(weights * weights), 2 * weights, 2.0
        large = torch.abs(weights)
        if self.measure == "l1":
            size = total(large)
            return size, torch.sign(weights), count / maximum(size, TINY)
        if self.measure == "huber":
            inside = large < 1
            huber = where(inside, 0.5 * weights * weights, large - 0.5)
            return total(huber), where(inside, weights, torch.sign(weights)), 1.0
        away = weights - mean(weights)
        size = sqrt(total(away * away) / (count - 1))
        share = 1 / maximum((count - 1) * size, TINY)
        return size, away * share, share

    def _bound(self, size: Any, state: State, ctx: Context) -> tuple[Any, State]:
        """κ as it holds in this step, 0 where it is not set yet, and what changes in the state."""
        if self.bound == "uniform":
            return torch.ones_like(size) * self.kappa, {}
        kappa = state["kappa"]
        if self.bound == "dependent":
            if ctx.step == 1:
                kappa = self.kappa * self._measured(ctx.param, ctx.spec.numel)[0]
            return kappa, {"kappa": kappa}
        if self.bound == "warm_start":
            return kappa, {"kappa": size if ctx.step == self.kappa else kappa}
        if ctx.step % self.every != 0:
            return kappa, {}
        sample = ctx.step / self.every
        average = size if sample == 1 else self.memory * state["average"] + (1 - self.memory) * size
        slope = average - state["average"] if sample > 1 else torch.zeros_like(size)
        slows = (kappa <= 0) & (slope < state["slope"]) if sample >= FIRST_SAMPLE else kappa < 0
        return kappa, {"kappa": where(slows, size, kappa), "average": average, "slope": slope}
