import itertools
import math
import statistics

import pytest
import torch

from gradwright.study import compare, tasks
from gradwright.study.references import Cell, Reference, reference, regrets, table
from gradwright.study.runs.arguments import read_nuisances


def made(ends=((0.5, 0.5), (0.2, 0.4), (0.9, math.inf)), start=2.3, fresh=(0.3, 0.5), **changes):
    grid = tuple(Cell(10.0**-at, "constant", tuple(each)) for at, each in enumerate(ends))
    given = {"task": "digits-shallow", "steps": 2, "data": {}, "environment": {}, **changes}
    return Reference(start=start, grid=grid, fresh=fresh, **given)


def test_regret_is_the_missing_share_of_the_way():
    found = made()
    assert found.chosen.ends == (0.2, 0.4)
    assert found.best == pytest.approx(0.4)
    assert found.regret(0.4) == pytest.approx(0)
    assert found.regret(2.3) == pytest.approx(1)
    assert found.regret(0.02) == pytest.approx(-0.2)
    assert found.regret(40.0) == found.regret(math.inf) == found.regret(math.nan) == 1


def test_the_best_is_within_the_grid_or_not():
    assert made().interior
    assert not made(((0.5,), (0.6,), (0.7,))).interior


def test_worth_trials_is_what_all_draws_say():
    found = made(((0.5,), (0.2,), (0.9,), (0.7,), (math.inf,)))
    ends = [min(cell.mean, found.start) for cell in found.grid]
    for trials in range(1, 6):
        expected = statistics.fmean(min(draw) for draw in itertools.combinations(ends, trials))
        assert found.worth_trials(expected + 1e-12) <= trials
        assert found.worth_trials(expected - 1e-9) > trials
    assert found.worth_trials(0.1) == math.inf


def test_a_reference_survives_being_written():
    found = made(((0.5, math.inf),) * 3, data={"a": "b" * 64})
    assert Reference.from_json(found.to_json()) == found
    assert found.to_json()["grid"][0]["ends"] == [0.5, None]


@pytest.fixture
def study():
    optimizers = {"SGD": "torch:SGD", "wild": lambda model: torch.optim.SGD(model.parameters(), lr=1e30)}
    return compare("digits-shallow,counts", optimizers, seeds=2, budget=2, progress=False)


def test_regrets_of_a_study(monkeypatch, study):
    monkeypatch.setattr(table, "_stored", lambda: {"digits-shallow": made()})
    best, worst = regrets(study)
    assert (best.contender, worst.contender) == ("SGD", "wild")
    assert set(best.tasks) == {"digits-shallow"}
    ends = [
        run.final("validation_nll") for run in study.runs if run.contender == "SGD" and run.task == "digits-shallow"
    ]
    assert best.mean == best.worst == pytest.approx(statistics.fmean(made().regret(end) for end in ends))
    assert best.low <= best.mean <= best.high
    assert worst.mean == 1
    assert worst.not_finite == 2
    assert best.stale == ("digits-shallow",)


def test_other_budgets_and_grids_have_no_regret(monkeypatch, study):
    monkeypatch.setattr(table, "_stored", lambda: {"digits-shallow": made(steps=300)})
    assert [each.contender for each in regrets(study)] == ["wild"]
    tuned = compare("digits-shallow", "SGD", lr=0.1, seeds=1, budget=2, progress=False)
    monkeypatch.setattr(table, "_stored", lambda: {"digits-shallow": made()})
    assert regrets(tuned) == []


def test_stored_references_are_of_tasks_of_the_suite_as_they_are():
    for name, found in table._stored().items():
        base, _, nuisance = name.rstrip("]").partition("[")
        (task,) = read_nuisances(nuisance or None, [tasks.find(base)])
        assert found.task == name == task.name
        assert tasks.column(base)
        assert found.steps == task.steps
        assert found.best < found.start
        assert found.interior, f"the best learning rate of {name} lies at the edge of its grid"
        for held, hashed in task.data().items():
            assert "Python" in held or found.data[held] == hashed, f"{held} is not what the reference was computed with"


def test_what_leaves_the_problem_as_it_is_shares_the_reference(monkeypatch):
    longer = made(steps=8, task="digits-shallow[steps=4]")
    monkeypatch.setattr(table, "_stored", lambda: {"digits-shallow": made(), longer.task: longer})
    assert reference("digits-shallow[loss=1e-06,weights=10]") == reference("digits-shallow") == made()
    assert reference("digits-shallow[steps=4]") == longer
    assert reference("digits-shallow[steps=0.25]") is reference("digits-shallow[loss=2,batch=8]") is None
    assert reference("counts[loss=2]") is None
