"""Margins, profiles, excess loss and steps to target, on curves whose answers are known."""

import math

import numpy as np
import pytest

from gradwright.study.references import Cell, Reference, table
from gradwright.study.references.language import excess
from gradwright.study.references.margin import margins
from gradwright.study.references.outcome import Outcome
from gradwright.study.references.profile import profiles


def outcome(contender, task, seed, end, steps=100, finished=True):
    return Outcome(contender, task, seed, steps, finished, ((0, 2.0), (steps // 2, 1.5), (steps, end)))


def against(task, fresh=(1.0, 1.0)):
    return Reference(task, 100, 2.0, (Cell(0.1, "constant", (1.0,)),), fresh, {}, {})


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.setattr(table, "_stored", lambda: {task: against(task) for task in "abc"})
    ours = [outcome("ours", task, seed, 1.0 + 0.01 * seed) for task in "abc" for seed in range(4)]
    theirs = [outcome("theirs", task, seed, 1.1 + 0.01 * seed) for task in "ab" for seed in range(3)]
    return [*ours, *theirs, outcome("theirs", "c", 0, 9.0, finished=False), outcome("theirs", "unknown", 0, 0.1)]


def test_margins_are_differences_of_mean_regrets_task_by_task(runs):
    (margin,) = margins(runs, "ours")
    assert margin.tasks == pytest.approx({"a": 0.095, "b": 0.095, "c": 0.985})
    assert margin.mean == pytest.approx((0.095 + 0.095 + 0.985) / 3)
    assert margin.low <= margin.mean <= margin.high
    assert 0.08 < margin.low < 0.11  # all three tasks drawn from a and b, seeds within a hundredth
    assert (margin.ahead, margin.probability) == (3, 1)
    (mirrored,) = margins(runs, "theirs")
    assert mirrored.mean == pytest.approx(-margin.mean)
    assert (mirrored.ahead, mirrored.probability) == (0, 0)


def test_equal_contenders_have_no_margin(monkeypatch):
    monkeypatch.setattr(table, "_stored", lambda: {"a": against("a")})
    (margin,) = margins([outcome(name, "a", seed, 1.2) for name in ("x", "y") for seed in range(2)], "x")
    assert (margin.mean, margin.low, margin.high) == (0, 0, 0)
    assert margin.probability == 0.5


def test_profiles_count_tasks(runs):
    ours, theirs = profiles(runs, (0.0, 0.02, 0.12, 1.0))
    assert ours.share.tolist() == [0, 1, 1, 1]
    assert theirs.share == pytest.approx([0, 0, 2 / 3, 1])
    for each in (ours, theirs):
        assert np.all(each.low <= each.share + 1e-12)
        assert np.all(each.share <= each.high + 1e-12)
        assert np.all(np.diff(each.share) >= 0)
    assert theirs.low[2] < 2 / 3 < theirs.high[2]


def curve(*values, steps=100, seed=0):
    at = [round(steps * k / (len(values) - 1)) for k in range(len(values))]
    return Outcome("ours", "a", seed, steps, True, tuple(zip(at, values)))


def test_steps_to_target_lie_on_the_line_between_evaluations():
    found = excess("ours", [curve(2.0, 1.2, 0.8, 0.7)], against("a"))
    assert found.steps == pytest.approx(0.5, abs=0.01)
    assert found.nats == pytest.approx(-0.3)
    assert found.steps_low == found.steps == found.steps_high
    assert found.given == 1


def test_runs_over_more_steps_say_when_it_arrives():
    short, longer = [curve(2.0, 1.5, 1.2)], [curve(2.0, 1.2, 1.1, 0.9, steps=150)]
    assert excess("ours", short, against("a")).steps == math.inf
    found = excess("ours", short, against("a"), longer)
    assert found.steps == pytest.approx(1.25)
    assert found.nats == pytest.approx(0.2)
    assert found.given == 1.5


def test_a_run_that_diverged_never_arrives_and_ends_untrained():
    broken = curve(2.0, 0.5, 9.0, seed=1)._replace(finished=False)
    found = excess("ours", [curve(2.0, 0.5, 0.5), broken], against("a"))
    assert found.steps == math.inf
    assert found.end == pytest.approx((0.5 + 2.0) / 2)


def test_the_interval_of_the_nats_holds_the_seeds_of_both():
    runs = [curve(2.0, 1.0 + 0.1 * seed, seed=seed) for seed in range(3)]
    found = excess("ours", runs, against("a", fresh=(0.9, 1.1)))
    assert found.nats == pytest.approx(0.1)
    assert -0.1 <= found.nats_low < 0  # the seeds of the runs alone, or of the reference alone, stay above 0
    assert 0.2 < found.nats_high <= 0.3
