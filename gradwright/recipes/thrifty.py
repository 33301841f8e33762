"""thrifty(recipe): the same recipe with a second moment that takes next to no memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from gradwright.core import Chain, Part, chain
from gradwright.recipes.combinator import combinator
from gradwright.transforms import Full, Moment, PerRow, PerTensor, RowsAndColumns

MOMENTS: dict[str, Callable[[Full], Moment]] = {
    "row": lambda full: PerRow(full.beta),
    "tensor": lambda full: PerTensor(full.beta),
    "factored": lambda full: RowsAndColumns(full.beta),
}
"""What may take the place of a full-size moment, by name; each has the decay rate of what it replaces."""


@combinator("Thrifty", paper="cf. arXiv:2406.16793", gains="reduces", loses="elementwise")
def thrifty(base: Chain, moment: Literal["row", "tensor", "factored"] = "row") -> Chain:
    """Keep one second moment for each row of a matrix, or for each tensor, instead of one for each entry.

    v ← β v + (1 − β) mean(g²), the mean over a row or the tensor; all else is the recipe's. Adam-mini's idea, with rows
    for its blocks whatever the layer (it takes whole heads of queries and keys).

    ``"row"``: a row of a matrix, a filter of a convolution, an entry of a vector. ``"tensor"``: one number in all.
    ``"factored"``: one for each row and each column, v = R C / mean(R), as Adafactor has it; the closest to the recipe.
    """
    if moment not in MOMENTS:
        raise ValueError(f"thrifty: moment={moment!r} is unknown; known are {', '.join(MOMENTS)}")
    reduced = chain(*(_reduced(link, MOMENTS[moment]) for link in base.links))
    if reduced.structure() == base.structure():
        raise ValueError(
            "thrifty: there is no full-size second moment to reduce; it takes recipes that divide by Adam's, such as "
            "AdamW without amsgrad"
        )
    return reduced


def _reduced(part: Part, make: Callable[[Full], Moment]) -> Part:
    """The part with every moment of Adam's that it holds replaced.

    Moments of moments, such as the largest over time, keep full-size slots of their own, and are left alone.
    """
    if isinstance(part, Moment):
        return make(part) if type(part) is Full else part
    if isinstance(part, Chain):
        return chain(*(_reduced(link, make) for link in part.links))
    changed = {name: _reduced(child, make) for name, child in part.children().items()}
    return replace(part, **changed) if changed else part
