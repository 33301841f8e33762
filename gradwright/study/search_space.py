"""Search spaces: what to tune of a recipe, and over which range, for those who tune all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gradwright.optimizer.recipe import Recipe, registry
from gradwright.recipe.registry import spec_named

DECADE = 10.0
ROOM = 1.5
"""Decades to either side of a default learning rate."""
DECAYS = (1e-4, 1.0)
AWAY = (3e-4, 0.3)
"""How far a decay rate may be from one."""


class Trial(Protocol):
    """What is asked of a trial, as optuna's has it."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number in [low, high]."""


@dataclass(frozen=True)
class Range:
    """Where to look for one number: ``[low, high]``, evenly in its logarithm.

    ``away_from_one``: what is drawn is 1 minus the hyper-parameter, as is right for decay rates.
    """

    low: float
    high: float
    away_from_one: bool = False


@dataclass(frozen=True)
class SearchSpace:
    """What to tune of a recipe.

    Args:
        recipe: the class.
        ranges: for each number its range; a number of a tuple is called ``betas[0]``.
    """

    recipe: type[Recipe[...]]
    ranges: Mapping[str, Range]

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Hyper-parameters as a trial draws them: ``recipe(params, **space.suggest(trial))``.

        Args:
            trial: an ``optuna.Trial``, or anything with its ``suggest_float``.
        """
        knobs: dict[str, Any] = {}
        for name, where in self.ranges.items():
            drawn = trial.suggest_float(name, where.low, where.high, log=True)
            value = 1 - drawn if where.away_from_one else drawn
            base, _, place = name.partition("[")
            if place:
                given = list(knobs.get(base, self.recipe.spec.defaults[base]))
                given[int(place[:-1])] = value
                knobs[base] = tuple(given)
            else:
                knobs[base] = value
        return knobs


def search_space(recipe: str | type[Recipe[...]], *, betas: bool = False) -> SearchSpace:
    """The learning rate and weight decay of a recipe, over three decades and four, and its decay rates if asked for.

    >>> sorted(search_space("AdamW").ranges)
    ['lr', 'weight_decay']

    Args:
        recipe: a recipe class or its name.
        betas: tune ``betas`` and ``momentum`` as well, where the recipe has them.

    Raises:
        ValueError: no recipe has that name.
    """
    kind = registry[spec_named(recipe).name] if isinstance(recipe, str) else recipe
    defaults = kind.spec.defaults
    ranges = {"lr": Range(defaults["lr"] / DECADE**ROOM, defaults["lr"] * DECADE**ROOM)}
    if "weight_decay" in defaults:
        ranges["weight_decay"] = Range(*DECAYS)
    if betas and isinstance(defaults.get("betas"), tuple):
        ranges.update({f"betas[{at}]": Range(*AWAY, away_from_one=True) for at in range(len(defaults["betas"]))})
    if betas and isinstance(defaults.get("momentum"), float):
        ranges["momentum"] = Range(*AWAY, away_from_one=True)
    return SearchSpace(kind, ranges)
