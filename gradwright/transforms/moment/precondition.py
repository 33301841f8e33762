"""Precondition: divide the update by the root of a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.transform import Slots, State
from gradwright.transforms.moment.denominator import Denominator
from gradwright.transforms.moment.moments import Moment


@dataclass(frozen=True)
class Precondition(Transform):
    """u ← u / √E[g²], with the moment and the denominator of choice.

    The moment is that of the gradient after the condition stage, whatever ``u`` has become by then. So
    ``Precondition`` after ``Ema`` divides the average (Adam), and before ``Ema`` it averages the divided (another
    optimizer).
    """

    moment: Moment
    denominator: Denominator

    leaves_moment: ClassVar[bool] = True

    def slots(self, spec: ParamSpec) -> Slots:
        return self.moment.slots(spec)

    def check(self, spec: ParamSpec) -> None:
        self.moment.check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        estimate, state = self.moment.estimate(u, state, ctx)
        return self.denominator.divide(u, estimate), state, ctx._replace(moment=estimate.square)

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        return u, self.moment.gather(ctx.grad, state)
