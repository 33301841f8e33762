"""Catalogue: the tables of the README and, by ``python -m gradwright.describe.catalogue``, the page docs/recipes.md."""

from __future__ import annotations

import inspect
from pathlib import Path

from gradwright import recipes
from gradwright.describe.text import rows
from gradwright.recipe.registry import spec_named

PURPOSES = {
    "AdamW": "the usual choice",
    "Surefoot": "no learning rate, schedule or warm-up to find",
    "SGD": "convolutional networks, or no state at all",
    "Muon": "hidden matrices of transformers; `route` gives the rest to AdamW",
    "SOAP": "fewer steps for more work in each",
    "ScheduleFreeAdamW": "a run whose end is not known",
    "Prodigy": "Adam with a learning rate that it finds",
    "DoG": "the same for SGD",
    "Adafactor": "hardly any state",
    "Lion": "half of Adam's state",
    "Lamb": "large batches",
    "ADOPT": "Adam that converges at any β₂",
    "AdEMAMix": "long runs, where old gradients still tell something",
}
"""The recipes to look at first, and what for."""

BYTES = "Bytes: state per parameter of a float32 matrix of 1024 x 1024, at the defaults."

PAGE = """# Recipes

Every recipe and combinator of the library. Written by `python -m gradwright.describe.catalogue`; a test keeps it up to
date. `gradwright explain NAME` prints the equations, hyper-parameters, parts and state of one,
`gradwright list --trait low_memory` those with a trait. [Conformance](conformance.md) says what each was compared with.
"""


def newcomers_table() -> str:
    """The table of the recipes to look at first, for the README."""
    known = {name: (says, held) for name, says, held, _ in rows()}
    lines = ["| for | recipe | what it is | bytes |", "|---|---|---|---|"]
    for name, purpose in PURPOSES.items():
        says, held = known[name]
        lines.append(f"| {purpose} | `{name}` | {_plain(says)} | {held} |")
    return "\n".join([*lines, "", BYTES])


def recipes_table() -> str:
    """The table of the library's own recipes."""
    lines = ["| recipe | what it is | bytes | source |", "|---|---|---|---|"]
    for name, says, held, _ in rows():
        recipe_spec = spec_named(name)
        if recipe_spec.build.__module__.startswith("gradwright.recipes.") and " on " not in recipe_spec.paper:
            lines.append(f"| `{name}` | {_plain(says)} | {held} | {_linked(recipe_spec.paper)} |")
    return "\n".join([*lines, "", BYTES])


def combinators_table() -> str:
    """The table of the library's combinators."""
    lines = ["| combinator | what it makes of a recipe |", "|---|---|"]
    for name in recipes.__all__:
        made = getattr(recipes, name)
        if not isinstance(made, type):
            first, *_ = (inspect.getdoc(made) or "").split("\n\n")
            lines.append(f"| `{name}` | {_plain(first)} |")
    return "\n".join(lines)


def page() -> str:
    """docs/recipes.md."""
    combinators = "## Combinators\n\nThey make new recipes of these, and nest."
    return "\n\n".join([PAGE.rstrip(), recipes_table(), combinators, combinators_table()]) + "\n"


def _plain(docstring: str) -> str:
    return docstring.replace("\n", " ").replace("``", "`")


def _linked(paper: str) -> str:
    first, *more = paper.split("; ")
    for begin, site in (("arXiv:", "https://arxiv.org/abs/"), ("doi:", "https://doi.org/")):
        if first.startswith(begin):
            first = f"[{first}]({site}{first.removeprefix(begin)})"
    return "; ".join([first, *more])


if __name__ == "__main__":
    file = Path(__file__).parents[2] / "docs" / "recipes.md"
    file.write_text(page())
    print(file)
