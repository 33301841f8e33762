"""The registry: every recipe's spec by its name."""

from __future__ import annotations

import difflib

from gradwright.recipe.spec import RecipeSpec

specs: dict[str, RecipeSpec] = {}
"""Every recipe's spec by name; ``@recipe`` and the combinators enter theirs."""


def spec_named(name: str) -> RecipeSpec:
    """The spec of the recipe called ``name``.

    Raises:
        ValueError: there is none; names the nearest ones.
    """
    if name in specs:
        return specs[name]
    spelled = {known.lower(): known for known in specs}
    near = [spelled[match] for match in difflib.get_close_matches(name.lower(), spelled, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(specs))}"
    raise ValueError(f"there is no recipe called {name!r}; {hint}")
