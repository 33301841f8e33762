"""Every row of the table meets every check of the contract, but for exceptions that are declared with a reason."""

import pytest

from gradwright.contract import CHECKS
from gradwright.engine import select
from tests.contract.table import ROWS

FIRST = tuple({row.recipe: row for row in reversed(ROWS)}.values())
"""The first row of every recipe."""


def _pairs(rows):
    found = []
    for row in rows:
        for name, check in CHECKS.items():
            if check.claim is None or check.claim in row.recipe.formula.traits:
                found.append(pytest.param(row, check, id=f"{row}-{name}"))
    return found


@pytest.mark.parametrize(("row", "check"), _pairs(ROWS))
def test_row_meets_check(row, check, monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")
    _meets(row, check)


@pytest.mark.skipif(select.chosen("auto") == "eager", reason="there is no compiler here: eager is what runs")
@pytest.mark.parametrize(("row", "check"), _pairs(FIRST))
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
