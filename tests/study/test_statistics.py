import math

import numpy as np
import pytest
from scipy import stats

from gradwright.study.report.statistics import probability_of_improvement, seeds_needed, summarise, welch
from gradwright.study.report.svg import spread
from gradwright.study.runs.budget import SCHEDULES, Budget
from gradwright.study.runs.divergence import ending

A, B = [1.0, 1.2, 0.9, 1.1], [1.5, 1.9, 1.2]


def test_welch_agrees_with_scipy():
    ours, theirs = welch(A, B), stats.ttest_ind(B, A, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert ours.difference == pytest.approx(np.mean(B) - np.mean(A))
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_welch_by_hand():
    # means 2 and 5, variances 2 and 2, two values each: error sqrt 2, two degrees of freedom, t(0.975; 2) = 4.302653
    gap = welch([1.0, 3.0], [4.0, 6.0])
    assert gap.difference == 3
    assert gap.high == pytest.approx(3 + 4.302653 * math.sqrt(2), rel=1e-6)


def test_one_value_shows_no_noise_and_equal_values_none_either():
    assert math.isnan(welch([1.0], [2.0, 3.0]).p)
    assert welch([1.0, 1.0], [2.0, 2.0]).p == 0
    assert welch([1.0, 1.0], [1.0, 1.0]).p == 1
    assert math.isnan(summarise([1.0]).deviation)


def test_probability_and_seeds():
    assert probability_of_improvement([1.0], [2.0]) == 1
    assert probability_of_improvement(A, A) == 0.5
    # both variances 0.02, gap 0.1: 7.84 * 0.04 / 0.01 = 31.4
    assert seeds_needed([1.0, 1.2], [1.1, 1.3]) == 32
    assert seeds_needed([1.0, 2.0], [1.0, 2.0]) == math.inf


@pytest.mark.parametrize(
    ("initial", "final", "lower", "losses", "status"),
    [
        (2.0, 1.0, True, (2.0, 1.0), "finished"),
        (2.0, 2.0, True, (2.0, 2.0), "no progress"),
        (2.0, 2.05, True, (2.0, 2.1), "no progress"),
        (2.0, 2.5, True, (2.0, 2.5), "diverged"),
        (2.0, 2.5, True, (2.0, 0.1), "no progress"),  # it learned its batches by heart
        (2.0, math.nan, True, (2.0, 1.0), "diverged"),
        (2.0, math.inf, False, (2.0, 1.0), "diverged"),
        (0.1, 0.9, False, (2.0, 1.0), "finished"),
        (0.1, 0.1, False, (2.0, 2.0), "no progress"),
        (0.1, 0.05, False, (2.0, 9.0), "diverged"),
        (0.0, 0.1, True, (0.0, 1.0), "diverged"),
        (math.nan, 0.1, True, (2.0, 1.0), "finished"),
    ],
)
def test_endings(initial, final, lower, losses, status):
    found = ending(initial, final, lower, losses)
    assert found.status == status
    assert bool(found.reason) is (status != "finished")


@pytest.mark.parametrize(
    ("text", "steps", "seconds"),
    [(300, 300, None), ("300", 300, None), ("300 steps", 300, None), ("20s", None, 20), ("1.5 min", None, 90)],
)
def test_budgets(text, steps, seconds):
    assert Budget.parse(text) == Budget(steps, seconds)


@pytest.mark.parametrize("text", ["", "0", "-3", "2.5", "20 parsecs", "nan", "1e400", "1.2.3s"])
def test_budgets_that_are_none(text):
    with pytest.raises(ValueError, match="20s"):
        Budget.parse(text)


def test_schedules_end_low_and_warm_up_rises():
    assert SCHEDULES["cosine"](1.0) == pytest.approx(0)
    assert SCHEDULES["linear"](0.25) == 0.75
    assert SCHEDULES["warmup-cosine"](0.05) == pytest.approx(1)
    assert 0 < SCHEDULES["warmup-cosine"](Budget(steps=100).middle(0, 0.0)) < 0.2


def test_labels_are_spread():
    moved = spread([1.0, 1.1, 1.2, 9.0], gap=1.0, top=9.5)
    assert moved == sorted(moved)
    assert min(np.diff(moved)) >= 1 - 1e-9
    assert max(moved) <= 9.5
