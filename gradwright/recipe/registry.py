"""The registry: every recipe's spec by its name."""

from __future__ import annotations

from gradwright.core.spelling import near
from gradwright.recipe.spec import RecipeSpec

specs: dict[str, RecipeSpec] = {}
"""Every recipe's spec by name; ``@recipe`` and the combinators enter theirs."""


def spec_named(name: str) -> RecipeSpec:
    """The spec of the recipe called ``name``, in capitals or not.

    Raises:
        ValueError: there is none; names the nearest ones.
    """
    if name in specs:
        return specs[name]
    alike = [known for known in specs if isinstance(name, str) and known.casefold() == name.casefold()]
    if len(alike) == 1:
        return specs[alike[0]]
    close = near(name, specs, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(sorted(specs))}"
    raise ValueError(f"there is no recipe called {name!r}; {hint}")
