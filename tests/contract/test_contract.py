"""Every row of the table meets every check of the contract, but for exceptions that are declared with a reason.

The fast tests take the first row of every recipe, eagerly, and a few rows that differ in kind as they run by default;
the slow ones take the rest.
"""

import pytest

from gradwright.contract import CHECKS
from gradwright.engine import select
from tests.contract.table import ROWS

FIRST = tuple({row.recipe: row for row in reversed(ROWS)}.values())
"""The first row of every recipe."""
SAMPLE = tuple({row.recipe.formula.traits: row for row in reversed(FIRST)}.values())[-8:]


def _pairs(rows, fast):
    found = []
    for row in rows:
        marks = () if row in fast else pytest.mark.slow
        for name, check in CHECKS.items():
            if check.claim is None or check.claim in row.recipe.formula.traits:
                found.append(pytest.param(row, check, id=f"{row}-{name}", marks=marks))
    return found


@pytest.mark.parametrize(("row", "check"), _pairs(ROWS, FIRST))
def test_row_meets_check(row, check, monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")
    _meets(row, check)


@pytest.mark.skipif(select.chosen("auto") == "eager", reason="there is no compiler here: eager is what runs")
@pytest.mark.parametrize(("row", "check"), _pairs(FIRST, SAMPLE))
def test_row_meets_check_as_it_runs(row, check):
    _meets(row, check)


def _meets(row, check):
    if excuse := check.excuse(row.recipe):
        pytest.skip(excuse)
    if check.name in row.exceptions:
        with pytest.raises(AssertionError):  # an exception that is not needed has to go
            check.run(row.recipe, row.knobs)
    else:
        check.run(row.recipe, row.knobs)
