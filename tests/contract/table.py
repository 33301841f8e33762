"""The table: one row for each recipe and each form of it, gathered from the families; and choices among its rows."""

from collections.abc import Collection, Iterable

from gradwright.recipe.traits import TRAITS
from tests.families import rows
from tests.families.kinds import Contract as Row

ROWS: tuple[Row, ...] = rows("CONTRACT")


def covering(rows: Iterable[Row], traits: Collection[str]) -> tuple[Row, ...]:
    """Those of some rows, in order, that have one of these traits which none before them has."""
    found, missing = [], set(traits)
    for row in rows:
        if not missing.isdisjoint(row.recipe.spec.traits):
            found.append(row)
            missing -= row.recipe.spec.traits
    return tuple(found)


FIRST = tuple({row.recipe: row for row in reversed(ROWS)}.values())[::-1]
"""The first row of every recipe."""
PLAIN = tuple(row for row in FIRST if row.recipe.made_by is None)
"""Of these the ones that no combinator made."""
COMBINED = tuple({row.recipe.made_by[0]: row for row in reversed(FIRST) if row not in PLAIN}.values())[::-1]
"""One row for each combinator."""
KINDS = covering((*PLAIN, *COMBINED), TRAITS)
"""A few rows that have every trait between them."""
