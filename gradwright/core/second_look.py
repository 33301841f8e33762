"""SecondLook: what a method does with a gradient at a point of its own choice, beside the one at the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core.context import Context
from gradwright.core.transform import CONDITION, State, Transform


@dataclass(frozen=True)
class SecondLook(Transform):
    """A link of which the optimizer asks, before the step, where to look again, and what to make of both gradients.

    Both questions are pure functions of one tensor, and generators where they need a :class:`Total`, which runs over
    all parameters whose recipe looks twice. In the chain the link is the identity: what :meth:`combine` answers is the
    gradient that the chain sees.

    Class attributes:
        same_on_all_ranks: whether the first gradient has to be the same on all ranks, since more of it is kept than the
            place of the second look.
    """

    stage: ClassVar[int] = CONDITION
    same_on_all_ranks: ClassVar[bool] = True

    @property
    def gradients(self) -> float:
        """How many gradients a step takes, on average."""
        return 2.0

    def looks(self, clock: float) -> bool:
        """Whether the step of this count looks twice; at the others :meth:`combine` sees no second gradient."""
        return True

    def perturb(self, g: Tensor, state: State, ctx: Context) -> Any:
        """What is added to the parameter for the second look; the context holds it and ``g`` as they are now."""
        raise NotImplementedError

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        """The gradient that the chain sees, and the state entries that change."""
        raise NotImplementedError

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u, {}

    def check_order(self, before: Sequence[Transform]) -> None:
        super().check_order(before)
        for other in (part for link in before for part in link.inside):
            if isinstance(other, SecondLook):
                raise ValueError(
                    f"{type(self).__name__} and {type(other).__name__} would each look twice in one step; leave out "
                    "one of the two"
                )
