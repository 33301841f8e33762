"""docs/observe.md names every cause with its sign and its remedy as the rules have them."""

import pytest

from gradwright.describe import causes
from gradwright.observe import Cause
from gradwright.observe.rules import RULES

TEXT = causes.FILE.read_text()


def test_the_tables_are_those_of_the_rules():
    assert causes.page(TEXT) == TEXT, "python -m gradwright.describe.causes"


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_every_cause_has_a_sign_and_a_remedy(cause):
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| `{cause.name}`") and cause.value in line)
    _, _, sign, remedy, _ = row.replace("\\|", "").split("|")
    assert len(sign.split()) > 5
    assert remedy.strip(" `").strip("… ").strip(), "a remedy of numbers alone"
    assert causes.remedy_of(RULES[cause])
