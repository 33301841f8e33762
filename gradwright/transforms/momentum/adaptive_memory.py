"""Adaptive memory: momentum whose coefficient is worked out anew at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, HostScalar, ParamSpec, Slot, Total, Transform
from gradwright.core.ops import maximum, minimum, total, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.moments import Moment


def _share(weight: Any, spread: Any, most: float) -> Any:
    """weight / spread in [0, most], and 0 where memory and gradient are one and the same."""
    share = weight / where(spread > 0, spread, torch.ones_like(spread))
    return where(spread > 0, minimum(maximum(share, 0.0), most), torch.zeros_like(spread))


@dataclass(frozen=True)
class AdaptiveMemory(Transform):
    """Momentum with one coefficient for the whole model, from two linear models of the loss. arXiv:2510.04988.

    β = (‖g‖² + 2 λ ⟨g, d⟩ − λ ‖d‖²) / ‖d − g‖², kept in [0, β_max], and 0 where d = g; sums over all parameters
    d ← ((β + λ) d + (1 − β) g) / (1 + λ);   d₁ = g₁

    The new point is the least of the larger of the two models, that of the gradient and that of the memory d, held
    near the old point and, by λ, near the step that d alone would take; β is the dual weight of the memory.

    Args:
        pull: λ, at least 0.
        most: β_max, in [0, 1).
    """

    pull: float = 0.1
    most: float = 0.9
    bounds: ClassVar = {"most": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"d": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        d = u if ctx.step == 1 else state["d"]
        apart = d - u
        parts = total(u * u), total(u * d), total(d * d), total(apart * apart)
        gg, gd, dd, spread = yield Total("adaptive_memory", *parts)
        beta = _share(gg + 2 * self.pull * gd - self.pull * dd, spread, self.most)
        d = ((beta + self.pull) * d + (1 - beta) * u) / (1 + self.pull)
        return d, {"d": d}


@dataclass(frozen=True)
class AdaptiveMemoryMoment(Transform):
    """The same in the metric of a second moment, with a coefficient β for each tensor. arXiv:2510.04988.

    P = (1 − β_max β₁ ⋯ βₜ₋₁) (√v̂ + ε),   M = 1 / (P (1 + λ P)),   w = d − g
    β = ((1 + μ η) ηₜ₋₁ / η ⟨g, d / P + μ p⟩ − ⟨w, M (g + λ P d)⟩ − μ ⟨p, w⟩) / ⟨w, M w⟩, kept in [0, β_max]; β₁ = β_max
    d ← ((1 − β) g + (λ P + β) d) / (1 + λ P);   u ← d / P

    Without λ and with β at β_max this is AdamW's direction; P then holds the correction of both averages. The first
    term of β measures the last step, and is left out where the last η or this one was 0. β is 0 where w is.

    Args:
        moment: how E[g²] is estimated.
        size: η, the learning rate by which a later link multiplies.
        pull: λ, at least 0. Compared with P, so that with λ > 0 the size of gradients matters.
        most: β_max, in [0, 1).
        eps: ε.
        weight_decay: μ, the decay that a later link adds.
    """

    moment: Moment
    size: float
    pull: float = 0.1
    most: float = 0.89
    eps: float = 1e-8
    weight_decay: float = 0.0
    bounds: ClassVar = {"most": FRACTION}
    leaves_moment: ClassVar[bool] = True
    rates: ClassVar = {"size": 1}
    told_decay: ClassVar[bool] = True

    def slots(self, spec: ParamSpec) -> Slots:
        own: Slots = {"d": Slot(role="moment"), "product": Slot(keep=(), start=1.0), "last_size": HostScalar()}
        return {**own, **self.moment.slots(spec)}

    def check(self, spec: ParamSpec) -> None:
        self.moment.check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        estimate, kept = self.moment.estimate(u, state, ctx)
        p, d, product = ctx.param, state["d"], state["product"]
        metric = (1 - self.most * product) * (estimate.root + self.eps)
        pull = self.pull * metric
        beta = self._beta(u, d, p, metric, pull, state["last_size"], ctx.step)
        d = ((1 - beta) * u + (pull + beta) * d) / (1 + pull)
        changed = {**kept, "d": d, "product": product * beta, "last_size": self.size}
        return d / metric, changed, ctx._replace(moment=estimate.square)

    def _beta(self, g: Any, d: Any, p: Any, metric: Any, pull: Any, last_size: Any, step: float) -> Any:
        if step == 1:
            return self.most
        # a rate of 0, as at the start of a warm-up, says nothing about the last step
        ratio = last_size / self.size if self.size > 0 else 0.0
        w, mu = d - g, self.weight_decay
        inverse = 1 / (metric * (1 + pull))
        gain = (1 + mu * self.size) * ratio * total(g * (d / metric + mu * p))
        weight = gain - total(w * inverse * (g + pull * d)) - mu * total(p * w)
        return _share(weight, total(w * inverse * w), self.most)
