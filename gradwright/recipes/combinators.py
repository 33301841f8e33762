"""Combinators: recipe -> recipe. They cut a chain at a stage and put a part there."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from gradwright.core import Chain, chain
from gradwright.core.transform import DIRECTION
from gradwright.formula import Formula
from gradwright.recipe import Recipe, make_recipe
from gradwright.transforms import Cautious, Lookahead

Combinator = Callable[[type[Recipe[...]]], type[Recipe[...]]]


def combinator(
    name: str, *, paper: str, gains: str = "", loses: str = ""
) -> Callable[[Callable[..., Chain]], Combinator]:
    """Turn a function (chain, own hyper-parameters) -> chain into one from recipe to recipe.

    The new recipe has the hyper-parameters of both. It is made once for each recipe, so that classes compare equal, and
    pickles by the combinator's own name.

    Args:
        name: what is put before the recipe's name.
        paper: where the idea comes from.
        gains: traits that the new recipe has and the old one may not.
        loses: traits of the old recipe that the new one lacks.
    """

    def decorate(function: Callable[..., Chain]) -> Combinator:
        own = list(inspect.signature(function).parameters.values())[1:]

        @wraps(function)
        def combine(base: type[Recipe[...]]) -> type[Recipe[...]]:
            if not (isinstance(base, type) and issubclass(base, Recipe)):
                raise TypeError(f"{function.__name__}() takes a recipe such as gradwright.AdamW, got {base!r}")
            formula = base.formula
            if clash := sorted(p.name for p in own if p.name in formula.defaults):
                raise ValueError(f"{function.__name__}({formula.name}): both have a hyper-parameter {clash[0]!r}")

            def build(**knobs: Any) -> Chain:
                inner = {key: knobs.pop(key) for key in formula.defaults}
                return function(formula.chain(inner), **knobs)

            added = [p.replace(kind=p.KEYWORD_ONLY) for p in own]
            build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
                [*inspect.signature(formula.build).parameters.values(), *added]
            )
            build.__doc__ = (
                f"{inspect.getdoc(function)}\n\nApplied to {formula.name}:\n\n{inspect.getdoc(formula.build)}"
            )
            traits = (formula.traits - set(loses.split())) | set(gains.split())
            new = Formula(
                name + formula.name,
                build,
                f"{paper} on {formula.paper}",
                traits,
                formula.only,
                formula.signed,
            )
            return make_recipe(new, function.__module__, new.name, made_by=(memoised, base))

        memoised = cache(combine)
        # pickle finds a combinator by its name, so the memoised function goes by the name of the decorated one
        return wraps(function)(memoised)

    return decorate


@combinator("Cautious", paper="arXiv:2411.16085", gains="reduces", loses="elementwise")
def cautious(base: Chain) -> Chain:
    """Move only where the direction agrees with the gradient; the mean step of a tensor is kept.

    The mask goes after the direction and before decay.
    """
    return chain(base.upto(DIRECTION), Cautious(), base.beyond(DIRECTION))


@combinator("Lookahead", paper="arXiv:1907.08610", gains="clock", loses="low_memory")
def lookahead(base: Chain, k: int = 5, alpha: float = 0.5) -> Chain:
    """Every k steps, go back to a point on the way from slow weights to the fast ones.

    φ ← φ + α (θ − φ);   θ ← φ.   ``k`` ≥ 1 steps in a cycle, ``alpha`` in [0, 1] how far the slow weights follow.
    """
    return chain(base, Lookahead(k, alpha))
