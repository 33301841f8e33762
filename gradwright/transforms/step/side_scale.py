"""SPlus's sizes: a learning rate by the sides of a matrix, the decay that goes with it, and an average before that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import lerp
from gradwright.core.transform import STEP, WEIGHTS, Slots, State
from gradwright.transforms.common.bounds import FRACTION

SMALL = 1e-3
"""The factor of what is no matrix."""


def side_factor(spec: ParamSpec, max_dim: int) -> float:
    """2 / (n + m) of an n × m matrix whose sides are at most ``max_dim``, and 0.001 of all else."""
    if spec.own_ndim != 2 or max(spec.own_shape) > max_dim:
        return SMALL
    return 2 / (spec.own_shape[0] + spec.own_shape[1])


@dataclass(frozen=True)
class SideScale(Transform):
    """u ← size · s u,   s = 2 / (n + m) of an n × m matrix, 0.001 of all else, and of sides larger than ``max_dim``.

    Args:
        size: the learning rate.
        max_dim: at least 1.
    """

    size: float
    max_dim: int = 10000
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}
    bounds: ClassVar = {"max_dim": (1, 1 << 31)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return self.size * side_factor(ctx.spec, self.max_dim) * u, state


@dataclass(frozen=True)
class AveragedSideDecay(Transform):
    """SPlus's average of what steps make, and then its decay: x̄ ← ρ x̄ + (1 − ρ) x, x = p − u;   p ← x (1 − s λ).

    x̄ is corrected by 1 − ρᵗ where it is evaluated; s is that of :class:`SideScale`, and λ has the learning rate in it.

    Args:
        weight_decay: λ.
        beta: ρ, in [0, 1).
        max_dim: at least 1.
    """

    weight_decay: float
    beta: float = 0.999
    max_dim: int = 10000
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"weight_decay": 1}
    bounds: ClassVar = {"beta": FRACTION, "max_dim": (1, 1 << 31)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"average": Slot(start="param", dtype=spec.computing_dtype)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        x = ctx.param - u
        # the corrected average itself, whose newest member has this share
        share = (1 - self.beta) / (1 - self.beta**ctx.step)
        pull = self.weight_decay * side_factor(ctx.spec, self.max_dim)
        return u + pull * x, {"average": lerp(state["average"], x, share)}

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        average: Tensor = state["average"]
        return average
