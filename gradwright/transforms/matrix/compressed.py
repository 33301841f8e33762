"""CompressedEma: a momentum that is kept as a random view of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.matrix.subspace import MATRICES, Subspace, view_of


@dataclass(frozen=True)
class CompressedEma(Transform):
    """Flora's momentum: an average of which k random directions of the shorter side are kept. arXiv:2402.03293.

    D: normal numbers of variance 1 / k, drawn anew every ``gap`` steps, when A ← down(up(A)) from the old to the new
    u' ← β up(A) + (1 − β) u;   A ← β A + (1 − β) down(u);   u ← u'

    On average up(down(u)) is u, with an error of relative variance about (shorter side) / k. D is a function of the
    parameter's place and its age, and is not kept. What is no matrix, not picked by ``only``, or no larger than k on
    its shorter side, is averaged as it is.

    Args:
        beta: β, in [0, 1).
        rank: k, at least 1.
        gap: steps between two D, at least 1.
        only: a selector of the parameters that are compressed.
    """

    beta: float
    rank: int = 128
    gap: int = 1000
    only: str = MATRICES
    bounds: ClassVar = {"beta": FRACTION, "rank": (1, WHOLE), "gap": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        view = view_of(spec, self.rank, self.only)
        return {"m": Slot(role="moment") if view is None else Slot(shape=view.seen)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m, view = state["m"], view_of(ctx.spec, self.rank, self.only)
        if view is None:
            m = self.beta * m + (1 - self.beta) * u
            return m, {"m": m}
        return self._compressed(u, m, view, ctx)

    def _compressed(self, u: Any, m: Any, view: Subspace, ctx: Context) -> Any:
        step = int(ctx.step)
        basis = view.random(ctx.spec, (step - 1) // self.gap, u)
        long = view.up(m, basis)
        if step % self.gap == 0:
            basis = view.random(ctx.spec, step // self.gap, u)
            m = view.down(long, basis)
        answer = self.beta * long + (1 - self.beta) * u
        return answer, {"m": self.beta * m + (1 - self.beta) * view.down(u, basis)}
