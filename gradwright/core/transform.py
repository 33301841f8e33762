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
        told_decay: whether it counts on the weight decay that a later link adds, so that no other may take its place.
        displaces: whether it takes the weights from where the step has brought them to a place of its own choice.
        places: where it keeps the weights, as the end of a sentence, if they mean something only there; then no part
            that displaces them may be in the chain.
        observes: whether it looks at the weights after the step and changes nothing; then it stands at the end.
    """

    stage: ClassVar[int] = DIRECTION
    needs: ClassVar[frozenset[str]] = frozenset()
    leaves_moment: ClassVar[bool] = False
    reads_moment: ClassVar[bool] = False
    told_decay: ClassVar[bool] = False
    displaces: ClassVar[bool] = False
    places: ClassVar[str] = ""
    observes: ClassVar[bool] = False

    def slots(self, spec: ParamSpec) -> Slots:
        """The state this part keeps beside a parameter of ``spec``."""
        return {}

    def check(self, spec: ParamSpec) -> None:
        """Refuse, with a ``ValueError``, a parameter that this part cannot serve."""

    def check_order(self, before: Sequence[Transform]) -> None:
        """Refuse, with a ``ValueError``, to stand behind these links of a chain."""
        name = type(self).__name__
        if self.reads_moment and not any(link.any_moment for link in before):
            raise ValueError(
                f"{name} reads the moment that a link before it divides by, and none does; put it after a Precondition"
            )
        for other in (part for link in before for part in link.inside):
            if (self.displaces and other.places) or (self.places and other.displaces):
                holder, mover = (other, self) if self.displaces else (self, other)
                raise ValueError(
                    f"{type(holder).__name__} keeps the weights {holder.places}, and {type(mover).__name__} would take "
                    "them elsewhere; leave out one of the two"
                )
            if other.observes and not any(part.observes for part in self.inside):
                raise ValueError(
                    f"{type(other).__name__} looks at the weights that a step has made, and {name} would change that "
                    "step afterwards; put it at the end"
                )

    def paced(self, pull: Transform) -> Transform:
        """A pull on the weights as it must be added to this part's update: in proportion to its own learning rate.

        A direction at unit length adds it as it is, and ``Scale(lr)`` multiplies both.
        """
        return pull

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        raise NotImplementedError

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        """What :meth:`update` is for the gradient of a micro-batch that is not the last of its step.

        It takes the gradient into the state, so that an update on the rest leaves the state that one on the sum would:
        an average divides what it adds by the decay that is still to come. What holds nothing of the gradient in that
        way passes it on, and :func:`gradwright.core.gathering.form` finds out whether that is enough.
        """
        return u, {}

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        """The weights to evaluate with, where they are not ``p``."""
        return None

    @cached_property
    def inside(self) -> tuple[Transform, ...]:
        """Itself and every transform inside."""
        children = (child for child in self.children().values() if isinstance(child, Transform))
        return self, *(part for child in children for part in child.inside)

    @cached_property
    def all_needs(self) -> frozenset[str]:
        """Its own needs and those of every transform inside."""
        return frozenset().union(*(part.needs for part in self.inside))

    @cached_property
    def any_moment(self) -> bool:
        """Whether it, or a transform inside, leaves a moment."""
        return any(part.leaves_moment for part in self.inside)

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

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, field in type(self).__dataclass_fields__.items():
            if field.type in ("Transform", Transform) and not isinstance(held := getattr(self, name), Transform):
                raise TypeError(f"{type(self).__name__}: {name}={held!r} must be a transform, such as Scale(lr)")

    @cached_property
    def held(self) -> dict[str, Transform]:
        """The transforms among its fields, by field name."""
        return {name: part for name, part in self.children().items() if isinstance(part, Transform)}

    def slots(self, spec: ParamSpec) -> Slots:
        joined: Slots = {}
        for name, part in self.held.items():
            for key, slot in part.slots(spec).items():
                joined[key if getattr(slot, "shared", False) else f"{name}.{key}"] = slot
        return joined

    def check(self, spec: ParamSpec) -> None:
        for part in self.held.values():
            part.check(spec)

    def check_order(self, before: Sequence[Transform]) -> None:
        super().check_order(before)
        for part in self.held.values():
            part.check_order(before)

    def run(self, name: str, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        """Run the part called ``name`` on its share of ``state`` and merge what it returns."""
        part = self.held[name]
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
        for name, part in self.held.items():
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
