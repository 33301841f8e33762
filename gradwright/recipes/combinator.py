"""Combinator: a function (chain, own hyper-parameters) -> chain, as one from recipe to recipe."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gradwright.core import Chain
from gradwright.optimizer.recipe import Recipe, make_recipe
from gradwright.recipe.knob import hints_of
from gradwright.recipe.spec import RecipeSpec


@dataclass(frozen=True, eq=False)
class Combinator:
    """What makes a recipe of a recipe; the new one has the hyper-parameters of both.

    Where both have one of the same name, the combinator's has its own name before it: ``lookahead_alpha``. It is made
    once for each recipe, so that classes compare equal, and pickles by the combinator's own name.

    Args:
        function: what it does to a chain.
        name: what is put before the recipe's name.
        paper: where the idea comes from.
        gains: traits that the new recipe has and the old one may not.
        loses: traits of the old recipe that the new one lacks.
        hides: hyper-parameters of the old recipe that the new one does not have; they stay at their default.
        sets: other defaults for hyper-parameters that the old recipe may have; one whose default is ``None`` keeps it.
        neutral: settings under which the new recipe must step as the old one does, which the contract holds it to;
            ``None`` where there are none.
    """

    function: Callable[..., Chain]
    name: str
    paper: str
    gains: frozenset[str]
    loses: frozenset[str]
    hides: frozenset[str]
    neutral: Mapping[str, Any] | None
    sets: Mapping[str, Any]

    def __post_init__(self) -> None:
        # documentation, pickle and error messages know it as the function it is made of
        for attribute in ("__doc__", "__module__", "__name__", "__qualname__"):
            object.__setattr__(self, attribute, getattr(self.function, attribute))
        object.__setattr__(self, "__wrapped__", self.function)

    def __reduce__(self) -> str:
        return self.function.__qualname__

    @cached_property
    def _made(self) -> dict[type[Recipe[...]], type[Recipe[...]]]:
        return {}

    @cached_property
    def own(self) -> tuple[inspect.Parameter, ...]:
        """Its own hyper-parameters."""
        return tuple(inspect.signature(self.function).parameters.values())[1:]

    def named(self, base: RecipeSpec) -> dict[str, str]:
        """What its own hyper-parameters are called beside those of a recipe, by the names that they have here."""
        taken = base.defaults.keys() - self.hides
        return {p.name: f"{self.function.__name__}_{p.name}" if p.name in taken else p.name for p in self.own}

    def __call__(self, base: type[Recipe[...]]) -> type[Recipe[...]]:
        if not (isinstance(base, type) and issubclass(base, Recipe)):
            raise TypeError(f"{self.function.__name__}() takes a recipe such as gradwright.AdamW, got {base!r}")
        if base not in self._made:
            spec = self._spec(base.spec)
            self._made[base] = make_recipe(spec, self.function.__module__, spec.name, made_by=(self, base))
        return self._made[base]

    def _spec(self, base: RecipeSpec) -> RecipeSpec:
        defaults = self._defaults(base)
        offered = {key: value for key, value in defaults.items() if key not in self.hides}
        names = self.named(base)
        clash = sorted(own for own, name in names.items() if own != name)
        if clash and (self._repeats(base.built(defaults)) or not offered.keys().isdisjoint(names.values())):
            raise ValueError(
                f"{self.function.__name__}({base.name}): both have a hyper-parameter {clash[0]!r}, and {base.name} "
                "does already what the combinator would do; leave one of the two out"
            )
        return RecipeSpec(
            self.name + base.name,
            self._build(base, defaults, offered, names),
            f"{self.paper} on {base.paper}",
            self._traits(base),
            base.only,
            base.signed,
            cycled=base.cycled,
        )

    def _traits(self, base: RecipeSpec) -> frozenset[str]:
        """What the new recipe is; where rows hang together, or all parameters, none can rest while others step."""
        traits = (base.traits - self.loses) | self.gains
        return traits if self.gains.isdisjoint(("reduces", "totals", "clock")) else traits - {"rows"}

    def _defaults(self, base: RecipeSpec) -> dict[str, Any]:
        """What the hyper-parameters of the old recipe are where nobody says anything."""
        known = {name: value for name, value in self.sets.items() if base.defaults.get(name) is not None}
        defaults = {**base.defaults, **{name: base.kinds[name].checked(value) for name, value in known.items()}}
        try:
            base.built(defaults)
        except (TypeError, ValueError):  # the recipe calls something else so
            return dict(base.defaults)
        return defaults

    def _repeats(self, base: Chain) -> bool:
        """Whether a chain has a part of a kind that this would put into it."""
        try:
            made = self.function(base)
        except (TypeError, ValueError):  # which says what is wrong when the recipe is made
            return False
        before = Counter(map(type, base.links))
        return any(before[kind] for kind in Counter(map(type, made.links)) - before)

    def _build(
        self, base: RecipeSpec, defaults: Mapping[str, Any], offered: Mapping[str, Any], names: Mapping[str, str]
    ) -> Callable[..., Chain]:
        """The new recipe's function, with the signature and the documentation of both."""

        def build(**knobs: Any) -> Chain:
            inner = {**defaults, **{key: knobs.pop(key) for key in offered}}
            return self.function(base.built(inner), **{own: knobs[name] for own, name in names.items()})

        own = [p.replace(name=names[p.name], kind=p.KEYWORD_ONLY) for p in self.own]
        parameters = inspect.signature(base.build).parameters.values()
        kept = [p.replace(default=offered[p.name]) for p in parameters if p.name in offered]
        build.__signature__ = inspect.Signature(kept + own)  # type: ignore[attr-defined]
        hints = {names.get(name, name): hint for name, hint in hints_of(self.function).items()}
        build.__annotations__ = {**hints_of(base.build), **hints}
        other = [f"``{one}`` is called ``{name}`` here." for one, name in names.items() if one != name]
        parts = [inspect.getdoc(self.function), *other, f"Applied to {base.name}:", inspect.getdoc(base.build)]
        build.__doc__ = "\n\n".join(str(part) for part in parts)
        return build


def combinator(
    name: str,
    *,
    paper: str,
    gains: str = "",
    loses: str = "",
    hides: str = "",
    neutral: Mapping[str, Any] | None = None,
    sets: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Chain]], Combinator]:
    """Turn a function (chain, own hyper-parameters) -> chain into a :class:`Combinator`; words are parted by spaces."""

    def decorate(function: Callable[..., Chain]) -> Combinator:
        words = (frozenset(some.split()) for some in (gains, loses, hides))
        return Combinator(function, name, paper, *words, neutral, sets or {})

    return decorate
