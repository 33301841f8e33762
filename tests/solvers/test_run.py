"""What all runs share: a budget, patience, a record, and the test for values that fall without end."""

import math

import pytest
import torch

from gradwright.solvers import Status
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.budget import Budget, Exhausted, Limits, status_of
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import FunctionSource
from gradwright.solvers.run.convergence import GradientTest
from gradwright.solvers.run.patience import Patience
from gradwright.solvers.run.record import Record
from gradwright.solvers.run.unboundedness import FAR, UnboundednessTest
from gradwright.solvers.searches.first_step import first_length


def objective_of(fun, size=2, limits=None):
    layout, _ = layout_of(torch.zeros(size, dtype=torch.float64))
    return Objective(FunctionSource(layout, fun), limits=limits)


def square(x):
    return (x * x).sum()


def test_the_first_evaluation_is_always_allowed_and_then_the_budget_holds():
    budget = Budget(Limits(maxfev=2, max_seconds=1e-12))
    budget.spend()
    with pytest.raises(Exhausted, match="time"):
        budget.spend()
    budget = Budget(Limits(maxfev=2))
    budget.spend()
    budget.spend()
    with pytest.raises(Exhausted, match="maxfev"):
        budget.spend()
    assert budget.nfev == 2


def test_a_narrowed_budget_counts_on_and_is_whole_again_after_an_error():
    budget = Budget(Limits(maxfev=10, maxiter=7))
    budget.spend()

    def part():
        with budget.narrowed(maxfev=2, maxiter=1):
            assert budget.limits.iterations(5) == 1
            while True:
                budget.spend()

    assert status_of(part) is Status.MAX_EVALUATIONS
    assert budget.nfev == 2
    assert budget.limits == Limits(maxfev=10, maxiter=7)


def test_what_is_left_is_at_least_one_evaluation():
    budget = Budget(Limits(maxfev=3, max_seconds=1e9))
    for left in (3, 2, 1, 1):
        limits = budget.left(maxiter=5)
        assert (limits.maxfev, limits.maxiter) == (left, 5)
        assert 0 < limits.max_seconds <= 1e9
        budget.nfev += 1
    assert Budget().left(maxiter=5) == Limits(None, 5, None)


def test_patience_ends_after_so_many_iterates_without_progress():
    patience = Patience(3)
    assert not patience.ends_with(1.0, 1.0, 1.0)
    assert not patience.ends_with(1.0, 0.95, 0.95)
    assert not patience.ends_with(1.0, 0.95, 0.8), "a size that fell by a tenth is progress"
    assert not patience.ends_with(0.5, 2.0, 2.0), "and so is a lower value"
    assert [patience.ends_with(0.5, 2.0, 2.0) for _ in range(3)] == [False, False, True]
    patience.renew()
    assert not patience.ends_with(9.0, 9.0, 9.0)


def test_a_record_counts_iterations_without_the_start_and_heeds_the_callback():
    seen = []

    def callback(x, iteration):
        seen.append((x.tolist(), iteration.value))
        if len(seen) == 2:
            raise StopIteration

    objective = objective_of(square, limits=Limits(maxiter=1))
    record = Record(objective, callback)
    for x, expected in (([1.0, 0.0], None), ([0.5, 0.0], Status.STOPPED)):
        point = objective.at(torch.tensor(x, dtype=torch.float64))
        assert record.add(point, point.value, point.slope_size) is expected
    assert seen == [([1.0, 0.0], 1.0), ([0.5, 0.0], 0.25)]
    assert (record.nit, record.is_full) == (1, True)
    fields = record.fields(point, point.gradient)
    assert fields["jac"].tolist() == [1.0, 0.0]
    assert [entry.nfev for entry in fields["trace"]] == [1, 2]


def test_a_function_that_changes_its_value_does_not_repeat():
    calls = []

    def drifts(x):
        calls.append(1)
        return (x * x).sum() + len(calls)

    x = torch.ones(2, dtype=torch.float64)
    for fun, expected in ((square, True), (drifts, False)):
        objective = objective_of(fun)
        assert objective.repeats(objective.at(x)) is expected
        assert objective.nfev == 2


@pytest.mark.parametrize(
    ("value", "far", "closed", "bottomless"),
    [
        (-1e16, True, False, True),
        (-1e16, False, False, False),
        (-1e80, False, False, True),
        (-1e80, True, True, False),
        (-1e14, True, False, False),
    ],
)
def test_only_a_deep_value_far_away_or_an_enormous_one_is_bottomless(value, far, closed, bottomless):
    objective = objective_of(lambda x: x.sum())
    start = objective.at(torch.tensor([1.0, 0.0], dtype=torch.float64))
    side = torch.full((2,), 1e9 if closed else math.inf, dtype=torch.float64)
    test = UnboundednessTest(start, start.value, Bounds(-side, side))
    ahead = objective.at(start.x * (2 * FAR if far else 1.0))
    assert test.is_bottomless(ahead, value) is bottomless


def test_the_first_step_is_a_hundredth_of_x_and_not_less_than_a_hundredth():
    assert first_length(torch.tensor([300.0, 400.0])) == pytest.approx(5.0)
    assert first_length(torch.zeros(3)) == 0.01


def test_a_second_solver_is_not_stuck_because_the_first_was():
    """Once steps are many a gradient counts only where the value rests, or where a search is stuck: this one's own."""
    test = GradientTest(1e-6)
    point = objective_of(square).begin(torch.ones(2, dtype=torch.float64))

    def run(steps):
        x = torch.ones(2, dtype=torch.float64)
        test.see(x, 1.0, None, 1e-16, 1.0)
        for step in range(1, steps):
            x = x - 0.01
            test.see(x, 1.0 - 0.01 * step, torch.full_like(x, -0.01), 1e-16, 1.0 - 0.01 * step)

    run(25)
    assert test.tolerance == 0.0, "values fall evenly"
    test.look_nearby(point.objective, point)
    assert test.tolerance > 0.0, "no step improves the value any more"
    test.begin_anew()
    run(25)
    assert test.tolerance == 0.0
