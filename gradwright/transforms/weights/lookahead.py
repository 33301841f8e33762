"""Lookahead: slow weights that follow the fast ones, and to which the fast ones return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, Nest, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.transform import WEIGHTS, Slots, State, UpdateCoroutine


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
    displaces: ClassVar[bool] = True
    bounds: ClassVar = {"alpha": (0.0, 1.0 + 1e-12), "k": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"slow": Slot(start="param")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if ctx.clock % self.k != 0:
            return u, state
        slow = state["slow"]
        slow = slow + self.alpha * (ctx.param - u - slow)
        return ctx.param - slow, {"slow": slow}


@dataclass(frozen=True)
class PullBack(Nest):
    """A momentum that goes back when Lookahead's weights do.

    Every k-th step, after the update: m ← m̄ + α (m − m̄), m̄ ← m;   or m ← 0 with ``to="zero"``.

    m̄ starts at zero. The update of that step is the one from before. The cycle is the optimizer's clock, as
    :class:`Lookahead`'s. Deviation: in the authors' code m̄ is m itself after the first cycle, so that nothing goes back
    any more.

    Args:
        of: a part whose state holds its momentum as ``m``.
        k: steps in a cycle, at least 1.
        alpha: α in [0, 1]; without effect on ``to="zero"``.
        to: where to: ``"slow"`` momentum or ``"zero"``.
    """

    of: Transform
    k: int = 5
    alpha: float = 0.5
    to: Literal["slow", "zero"] = "slow"
    bounds: ClassVar = {"alpha": (0.0, 1.0 + 1e-12), "k": (1, WHOLE)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.to not in ("slow", "zero"):
            raise ValueError(f"PullBack: to={self.to!r} is unknown; known are slow, zero")

    def slots(self, spec: ParamSpec) -> Slots:
        inner = super().slots(spec)
        return {**inner, "slow": inner["of.m"]} if self.to == "slow" else inner

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        u, state, ctx = yield from self.run("of", u, state, ctx)
        if ctx.clock % self.k != 0:
            return u, state, ctx
        m = state["of.m"]
        if self.to == "zero":
            return u, {**state, "of.m": torch.zeros_like(m)}, ctx
        slow = state["slow"] + self.alpha * (m - state["slow"])
        return u, {**state, "of.m": slow, "slow": slow}, ctx


def has_momentum(part: Transform) -> bool:
    """Whether a part's state holds a momentum that :class:`PullBack` can take back."""
    return "m" in part.slots(ParamSpec((2, 2), roles=frozenset({"matrix"})))
