"""Every row of the table meets every check of the contract, but for exceptions that are declared with a reason.

The fast tests ask everything of a few rows that have every trait between them; of the other recipes what a recipe may
break, of one recipe of each combinator what a combinator may break. The slow ones take the rest.
"""

import pytest

from gradwright.contract import CHECKS
from gradwright.engine import select
from tests.contract.table import COMBINED, FIRST, KINDS, PLAIN, ROWS, covering

ALIKE_FOR_ALL = {
    "closures_are_called_once",
    "closures_can_be_scaled",
    "deep_copies",
    "engines_agree",  # tests/engine compares the engines to the last places
    "groups_are_checked_at_each_step",
    "loads_over_another_run",
    "new_groups_join",
    "resumes_from_a_file",
    "scalers_drive_it",
    "schedulers_drive_it",
    "state_can_be_cleared",
    "tensor_lr_is_followed",
}
"""What the optimizer does for every recipe in the same way."""
OF_THE_RECIPE = {"every_knob_counts"}
"""What moves all hyper-parameters itself, so that one row of a recipe is enough; some take many seconds."""
COMBINATORS_MAY_BREAK = {
    "descends_on_a_bowl",
    "every_slot_moves",
    "impossible_numbers_are_refused",
    "keeps_what_it_declares",
    "latecomers_start_at_one",
    "missing_gradients_change_nothing",
    "pickles",
    "resumes_from_state_dict",
    "traits_are_declared",
    "updates_are_pure",
    "zero_gradients_are_harmless",
}
"""Beside what the traits claim."""
AS_IT_RUNS = covering(KINDS, ("elementwise", "reduces", "totals", "needs_loss", "clock", "matrix"))
"""What makes a difference to an engine."""


def _is_fast(row, check):
    if check.name in OF_THE_RECIPE:
        return row in AS_IT_RUNS
    if row in KINDS:
        return True
    if row in PLAIN:
        return check.name not in ALIKE_FOR_ALL
    return row in COMBINED and (check.claim is not None or check.name in COMBINATORS_MAY_BREAK)


def _pairs(rows, is_fast):
    found = []
    for row in rows:
        for name, check in CHECKS.items():
            asked = check.name not in OF_THE_RECIPE or row in PLAIN or row in COMBINED
            if asked and (check.claim is None or check.claim in row.recipe.spec.traits):
                marks = () if is_fast(row, check) else pytest.mark.slow
                found.append(pytest.param(row, check, id=f"{row}-{name}", marks=marks))
    return found


@pytest.mark.parametrize(("row", "check"), _pairs(ROWS, _is_fast))
def test_row_meets_check(row, check, monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")
    _meets(row, check)


@pytest.mark.skipif(select.chosen("auto") == "eager", reason="there is no compiler here: eager is what runs")
@pytest.mark.parametrize(("row", "check"), _pairs(FIRST, lambda row, check: row in AS_IT_RUNS))
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
