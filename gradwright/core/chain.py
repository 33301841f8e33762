"""Chain: transforms one after another, and the places where a combinator may cut it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gradwright.core.context import Context
from gradwright.core.part import Part, part_name
from gradwright.core.spec import ParamSpec
from gradwright.core.transform import CONDITION, Nest, State, Transform, UpdateCoroutine


@dataclass(frozen=True)
class Chain(Nest):
    """Transforms one after another; each sees what the one before it made."""

    links: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        owners = [type(link).__name__ for link in self.links if link.evaluates]
        if len(owners) > 1:
            raise ValueError(
                f"chain: {' and '.join(owners)} each keep weights of their own to evaluate with; use one of them"
            )

    @cached_property
    def _named(self) -> dict[str, Transform]:
        """Links by name; ``Ema, Ema`` are called ``ema, ema2``."""
        named: dict[str, Transform] = {}
        for link in self.links:
            name = part_name(type(link))
            count = sum(type(other) is type(link) for other in named.values())
            named[f"{name}{count + 1}" if count else name] = link
        return named

    def children(self) -> dict[str, Part]:
        return dict(self._named)

    @cached_property
    def _knobs(self) -> dict[str, float]:
        return super().knobs()

    def knobs(self) -> dict[str, float]:
        return dict(self._knobs)

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """The stage of each link; one that follows a later stage counts as that stage."""
        latest, stages = 0, []
        for link in self.links:
            latest = max(latest, link.stage)
            stages.append(latest)
        return tuple(stages)

    def check(self, spec: ParamSpec) -> None:
        """Refuse a parameter that a link cannot serve, and links in an order in which one lacks what it reads."""
        self.check_order(())
        super().check(spec)

    def check_order(self, before: Sequence[Transform]) -> None:
        for at, link in enumerate(self.links):
            link.check_order((*before, *self.links[:at]))

    def upto(self, stage: int) -> Chain:
        """The links whose stage is at most ``stage``."""
        return Chain(tuple(link for link, at in zip(self.links, self.stages) if at <= stage))

    def beyond(self, stage: int) -> Chain:
        """The links after those of :meth:`upto`."""
        return Chain(tuple(link for link, at in zip(self.links, self.stages) if at > stage))

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        for name, at in zip(self._named, self.stages):
            u, state, ctx = yield from self.run(name, u, state, ctx)
            if at == CONDITION:
                ctx = ctx._replace(grad=u)
        return u, state, ctx

    def map_knobs(self, function: Callable[[str, float], Any], prefix: str = "") -> Chain:
        return Chain(tuple(part.map_knobs(function, f"{prefix}{name}.") for name, part in self._named.items()))

    @cached_property
    def _structure(self) -> Hashable:
        return tuple(link.structure() for link in self.links)

    def structure(self) -> Hashable:
        return self._structure


def chain(*links: Transform) -> Chain:
    """Join transforms in the order in which they act; chains among them are laid flat.

    >>> from gradwright.transforms import Scale, Sign, TwoSpeed
    >>> chain(TwoSpeed(0.9, 0.99), Sign(), Scale(1e-4)).knobs()
    {'two_speed.beta1': 0.9, 'two_speed.beta2': 0.99, 'scale.size': 0.0001}

    Raises:
        TypeError: something in it is not a transform.
        ValueError: two links keep weights to evaluate with.
    """
    flat: list[Transform] = []
    for link in links:
        if isinstance(link, Chain):
            flat.extend(link.links)
        elif isinstance(link, Transform):
            flat.append(link)
        else:
            raise TypeError(f"chain: {link!r} is a {type(link).__name__}; only transforms can be joined")
    return Chain(tuple(flat))
