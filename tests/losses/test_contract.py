"""Every row of the table meets every check, but for exceptions that are declared with a reason."""

import inspect

import pytest
import torch

from gradwright import losses
from gradwright.losses import LOSSES, PROMISES, checking
from tests.losses.checks import CHECKS, TRAIT_CHECKS
from tests.losses.promises import PROMISE_CHECKS
from tests.losses.table import ROWS

FIRST = tuple({row.name: row for row in reversed(ROWS)}.values())


def _pairs():
    """Every row with every check; compiling all forms, not only the first of a loss, is for the long run."""
    for row in ROWS:
        for name, check in CHECKS.items():
            long = name == "compiles_whole" and row not in FIRST
            yield pytest.param(row, check, id=f"{row}-{name}", marks=[pytest.mark.slow] if long else [])


@pytest.mark.parametrize(("row", "check"), list(_pairs()))
def test_row_meets_check(row, check):
    if check.__name__ in row.exceptions:
        with pytest.raises(Exception):  # noqa: B017, PT011  an exception that is not needed has to go
            check(row)
    else:
        check(row)


@pytest.mark.parametrize(("row", "trait"), [(r, t) for r in ROWS for t in sorted(r.entry.traits)], ids=str)
def test_row_has_its_traits(row, trait):
    if f"trait:{trait}" in row.exceptions:
        with pytest.raises(AssertionError):
            TRAIT_CHECKS[trait](row)
    else:
        TRAIT_CHECKS[trait](row)


def _promises():
    """Every row with every promise; what hardly depends on the form is tried on the first of each loss, else in the
    long run. Forms of ``exact`` are algorithms of their own.
    """
    for row in ROWS:
        for promise in PROMISE_CHECKS:
            alike = promise in ("zero_weight", "autocast", "weight_gradient") and row.name != "exact"
            marks = [pytest.mark.slow] if alike and row not in FIRST else []
            yield pytest.param(row, promise, id=f"{row}-{promise}", marks=marks)


@pytest.mark.parametrize(("row", "promise"), list(_promises()))
def test_row_keeps_its_promises(row, promise):
    if promise in row.entry.exceptions:
        with pytest.raises(Exception):  # noqa: B017, PT011  an exception that is not needed has to go
            PROMISE_CHECKS[promise](row)
    else:
        PROMISE_CHECKS[promise](row)


def test_exceptions_name_promises_and_give_reasons():
    for entry in LOSSES.values():
        assert entry.exceptions.keys() <= PROMISES.keys()
        assert all(len(reason.split()) > 3 for reason in entry.exceptions.values()), entry.name


def test_every_loss_has_a_row():
    assert {row.name for row in ROWS} == set(LOSSES)


@pytest.mark.parametrize("row", [r for r in ROWS if r.target in ("index", "soft")], ids=str)
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_looking_at_values_can_be_turned_off(row, size):
    with checking("never"):
        row.call(row.logits() * size, row.targets())
    assert torch.get_num_threads() == 1


def test_every_loss_is_in_the_table():
    modules = {value for value in vars(losses).values() if isinstance(value, type) and issubclass(value, losses.Loss)}
    assert modules - {losses.Loss} == {entry.module for entry in LOSSES.values()}
    assert {name for name in losses.__all__ if "reduction" in _arguments(getattr(losses, name))} <= LOSSES.keys()


def _arguments(value):
    """Of a function; classes and tables have none here."""
    return inspect.signature(value).parameters if inspect.isfunction(value) else {}
