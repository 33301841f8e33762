"""Transform: one concept of an optimizer as a pure ``update``; Nest: a transform that holds others."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import GeneratorType
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core.context import Context, Total
from gradwright.core.part import Part
from gradwright.core.slot import HostScalar, Slot
from gradwright.core.spec import ParamSpec

State = dict[str, Any]
Slots = dict[str, Slot | HostScalar]
UpdateCoroutine = Generator[Total, Any, tuple[Any, State, Context]]

CONDITION, DIRECTION, STEP, WEIGHTS = range(4)


@dataclass(frozen=True)
class Transform(Part):
    """A part of an optimizer that turns an update into a better one: ``(u, state, ctx) -> (u, state)``.

    ``u`` is the update so far. It starts as the gradient, points uphill, and what is left at the end of the chain is
    subtracted from the parameter. ``update`` is pure: it reads and returns, and never writes in place. It may return
    only the state entries that changed, and a third value: the context as later links shall see it. An ``update``
    that needs a sum over all parameters is a generator that yields a :class:`Total`.

    Class attributes:
        stage: where it acts: 0 conditions the gradient, 1 makes the direction, 2 the step (decay and size),
            3 moves the weights in a way of its own and answers ``param - target``.
        needs: what it needs beside the gradient, out of ``{"loss"}``.
        leaves_moment: whether later links find in ``ctx.moment`` what it divided by.
        reads_moment: whether it asks for that; then :meth:`check_order` wants a link that leaves it.
    """

    stage: ClassVar[int] = DIRECTION
    needs: ClassVar[frozenset[str]] = frozenset()
    leaves_moment: ClassVar[bool] = False
    reads_moment: ClassVar[bool] = False

    def slots(self, spec: ParamSpec) -> Slots:
        """The state this part keeps beside a parameter of ``spec``."""
        return {}

    def check(self, spec: ParamSpec) -> None:
        """Refuse, with a ``ValueError``, a parameter that this part cannot serve."""

    def check_order(self, before: Sequence[Transform]) -> None:
        """Refuse, with a ``ValueError``, to stand behind these links of a chain."""
        if self.reads_moment and not any(link.any_moment for link in before):
            raise ValueError(
                f"{type(self).__name__} reads the moment that a link before it divides by, and none does; put it "
                "after a Precondition"
            )

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        raise NotImplementedError

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        """The weights to evaluate with, where they are not ``p``."""
        return None

    @cached_property
    def all_needs(self) -> frozenset[str]:
        """Its own needs and those of every transform inside."""
        inner = (child.all_needs for child in self.children().values() if isinstance(child, Transform))
        return self.needs.union(*inner)

    @cached_property
    def any_moment(self) -> bool:
        """Whether it, or a transform inside, leaves a moment."""
        inner = (child.any_moment for child in self.children().values() if isinstance(child, Transform))
        return self.leaves_moment or any(inner)

    @cached_property
    def evaluates(self) -> bool:
        """Whether it keeps weights to evaluate with."""
        inner = (child.evaluates for child in self.children().values() if isinstance(child, Transform))
        return type(self).evaluate not in (Transform.evaluate, Nest.evaluate) or any(inner)


def walk(part: Transform, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
    """Run one part's update, whether it yields totals or not, and complete what its answer left unsaid."""
    answer = part.update(u, state, ctx)
    if isinstance(answer, GeneratorType):
        answer = yield from answer
    u, state, *rest = answer
    return u, state, rest[0] if rest else ctx


@dataclass(frozen=True)
class Nest(Transform):
    """A transform that holds other transforms: it prefixes their state keys with their names."""

    def slots(self, spec: ParamSpec) -> Slots:
        joined: Slots = {}
        for name, part in self.children().items():
            assert isinstance(part, Transform)
            for key, slot in part.slots(spec).items():
                joined[key if getattr(slot, "shared", False) else f"{name}.{key}"] = slot
        return joined

    def check(self, spec: ParamSpec) -> None:
        for part in self.children().values():
            assert isinstance(part, Transform)
            part.check(spec)

    def run(self, name: str, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        """Run the part called ``name`` on its share of ``state`` and merge what it returns."""
        part = self.children()[name]
        assert isinstance(part, Transform)
        own, shared = _share(state, name), _shared(state)
        u, changed, ctx = yield from walk(part, u, {**shared, **own}, ctx)
        merged = dict(state)
        for key, value in changed.items():
            if key in own:
                merged[f"{name}.{key}"] = value
            elif key in shared:
                merged[key] = value
            else:
                raise KeyError(f"{type(part).__name__} returned the state {key!r}, which its slots() does not declare")
        return u, merged, ctx

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        for name, part in self.children().items():
            assert isinstance(part, Transform)
            if part.evaluates:
                return part.evaluate(p, {**_shared(state), **_share(state, name)}, step)
        return None


def _share(state: State, name: str) -> State:
    """The entries of the part called ``name``, by their own names."""
    prefix = name + "."
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _shared(state: State) -> State:
    """The entries that belong to no part alone."""
    return {key: value for key, value in state.items() if "." not in key}
