"""What every method promises whatever the units: the same run in other units, and no success that is none."""

import math
import warnings

import pytest
import torch

from gradwright.solvers import Constraint, Status, minimize
from gradwright.solvers.descents import BFGS
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import FunctionSource
from gradwright.solvers.registry import METHODS
from tests.solvers.problems import F64, rosenbrock, tensor

EVERY = tuple(METHODS)
CONSTRAINED = ("sqp", "augmented-lagrangian")


def rarely(*values):
    """Values that only the slow tests take."""
    return [pytest.param(each, marks=pytest.mark.slow) for each in values]


def quadratic(x):
    return ((x - torch.tensor([3.0, -1.0]).to(x)) ** 2 * torch.tensor([1.0, 20.0]).to(x)).sum()


def nonsmooth(x):
    """Its minimum is 0 at (1, 1); all along the valley x₁ = x₀² it has a kink."""
    return 8 * (x[0] ** 2 - x[1]).abs() + (1 - x[0]) ** 2


def told(fun, x0, method, **settings):
    """How a run ended and what it took, and where."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = minimize(fun, x0, method, **settings)
    return (result.status, result.nit, result.nfev, result.nhev), result


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [2.0**-27, *rarely(2.0**-40, 2.0**27, 2.0**40)])
def test_a_power_of_two_times_f_changes_nothing_but_f(method, scale):
    plain, one = told(rosenbrock, tensor(-1.2, 1.0), method)
    scaled, other = told(lambda x: scale * rosenbrock(x), tensor(-1.2, 1.0), method)
    assert plain == scaled
    assert plain[0].success
    assert torch.equal(one.x, other.x)
    assert torch.equal(scale * one.jac, other.jac)
    assert scale * one.fun == other.fun


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [1e-300, 1e300, *rarely(1e-160, 1e160)])
def test_units_at_the_ends_of_the_range_raise_nothing_and_end_at_the_minimum(method, scale):
    _, result = told(lambda x: scale * quadratic(x), tensor(1.0, 2.0), method)
    assert result.success or result.status is Status.NOISE_FLOOR, result
    torch.testing.assert_close(result.x, tensor(3.0, -1.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [1e-10, *rarely(1e-12, 1.0, 1e12)])
def test_a_gradient_of_the_wrong_sign_is_never_a_success(method, scale):
    _, result = told(
        lambda x: scale * ((x - 1) ** 2).sum(), tensor(0.0, 0.5), method, jac=lambda x: -2 * scale * (x - 1)
    )
    assert not result.success, result
    assert result.fun <= 1.25 * scale
    if method == "trust-ncg":
        assert result.status is Status.STALLED


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [1e-8, *rarely(1.0)])
def test_a_nonsmooth_valley_is_no_success_away_from_its_minimum(method, scale):
    _, result = told(lambda x: scale * nonsmooth(x), tensor(-1.2, 1.5), method, maxiter=25)
    assert not result.success or result.fun <= 1e-6 * scale, result


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_bfgs_learns_from_pairs_whose_squares_are_out_of_range(size):
    layout, _ = layout_of(tensor(0.0, 0.0))
    objective = Objective(FunctionSource(layout, lambda x: size * quadratic(x)))
    old, new = objective.at(tensor(1.0, 2.0)), objective.at(tensor(1.5, 0.0))
    learned = BFGS().learn(None, old, new, new.x - old.x)
    torch.testing.assert_close(learned @ (new.gradient - old.gradient), new.x - old.x)


@pytest.mark.slow
@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("fun", [lambda x: x.abs().sum(), lambda x: x.norm(), lambda x: x.abs().pow(1.5).sum()])
def test_kinks_at_the_minimum_raise_nothing(method, fun):
    _, result = told(fun, tensor(1.3, -0.7), method, maxiter=1000)
    assert math.isfinite(result.fun)
    assert not result.success or result.fun <= 1e-8


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [1e-8, *rarely(1.0, 1e8)])
def test_a_start_near_enough_to_the_minimum_is_a_success(method, scale):
    _, result = told(lambda x: scale * rosenbrock(x), tensor(1.0 + 1e-13, 1.0 - 1e-13), method)
    assert result.success, result


@pytest.mark.parametrize("size", [1e-7, *rarely(1e-12, 1.0)])
@pytest.mark.parametrize("method", [*CONSTRAINED, "l-bfgs-b"])
def test_a_point_beside_a_blocking_bound_is_no_solution(method, size):
    for start in (0.5, 1 - 1e-7, 0.3):
        _, result = told(lambda x: ((x / size - 2) ** 2).sum(), tensor(start, 0.3) * size, method, bounds=(0.0, size))
        assert result.success, result
        torch.testing.assert_close(result.x / size, torch.ones(2, dtype=F64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [1e-7, *rarely(1.0)])
@pytest.mark.parametrize("method", CONSTRAINED)
def test_a_point_beside_a_blocking_constraint_is_no_solution(method, size):
    limit = Constraint(lambda x: x / size, upper=1.0)
    _, result = told(lambda x: ((x / size - 2) ** 2).sum(), tensor(1 - 5e-7, 0.3) * size, method, constraints=limit)
    assert result.success, result
    torch.testing.assert_close(result.x / size, torch.ones(2, dtype=F64), atol=2e-8, rtol=0)


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("row", [2.0**-13, *rarely(2.0**-40, 2.0**13, 2.0**40)])
def test_units_of_a_constraint_leave_the_solution(method, row):
    fun = lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2  # noqa: E731

    def solved(unit):
        line = Constraint.equal(lambda x: unit * (x[0] - 2 * x[1] + 1))
        disc = Constraint(lambda x: unit * (1 - x[0] ** 2 / 4 - x[1] ** 2), 0.0)
        return told(fun, tensor(2.0, 2.0), method, constraints=[line, disc])[1]

    plain, scaled = solved(1.0), solved(row)
    assert plain.success
    assert scaled.success, scaled
    torch.testing.assert_close(plain.x, scaled.x, atol=1e-7, rtol=0)
    for one, other in zip(plain.extra["multipliers"], scaled.extra["multipliers"]):
        torch.testing.assert_close(one, row * other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [2.0**-40, *rarely(2.0**40, 1e-200)])
@pytest.mark.parametrize("method", CONSTRAINED)
def test_units_of_f_leave_a_constrained_run(method, scale):
    disc = Constraint(lambda x: 1 - (x * x).sum(), 0.0)
    fun = lambda x: (x[0] - 2) ** 2 + 3 * (x[1] - 1) ** 2  # noqa: E731
    plain, one = told(fun, tensor(0.5, 0.2), method, constraints=disc)
    scaled, other = told(lambda x: scale * fun(x), tensor(0.5, 0.2), method, constraints=disc)
    assert plain[0].success
    assert scaled[0].success
    torch.testing.assert_close(one.x, other.x, atol=1e-7, rtol=0)
    torch.testing.assert_close(
        scale * one.extra["multipliers"][0], other.extra["multipliers"][0], atol=1e-4 * scale, rtol=0
    )
    if scale in (2.0**-40, 2.0**40):
        assert plain == scaled


def test_constraints_that_touch_are_not_called_infeasible():
    """The feasible set is where the constraint's own slope vanishes."""
    touching = Constraint.equal(lambda x: (x[0] + x[1]) ** 2)
    fun = lambda x: (x[0] - 1) ** 2 + (x[1] - 2) ** 2  # noqa: E731
    for start in (tensor(-3.0, 1.0), tensor(4.0, -2.0)):
        _, result = told(fun, start, "augmented-lagrangian", constraints=touching)
        assert result.status is not Status.INFEASIBLE
    never = Constraint.equal(lambda x: x[0] ** 2 + 1)
    assert told(quadratic, tensor(1.0, 1.0), "augmented-lagrangian", constraints=never)[0][0] is Status.INFEASIBLE


def test_an_inner_run_that_falls_without_end_is_not_gone_on_from():
    """−x⁴ falls faster than a quadratic penalty rises, until the penalty is large or x is kept near."""
    disc = Constraint(lambda x: 1 - (x * x).sum(), 0.0)
    for fun in (lambda x: -(x**3).sum(), lambda x: -torch.exp(x.sum())):
        _, result = told(fun, tensor(0.5, 0.25), "augmented-lagrangian", constraints=disc, maxfev=4000)
        assert result.success, result
        assert float((result.x * result.x).sum()) <= 1 + 1e-7


@pytest.mark.parametrize("method", EVERY)
def test_a_callback_may_write_to_what_it_gets(method):
    def spoil(x, iteration):
        x.fill_(math.nan)

    (_, plain), (_, spoiled) = (
        told(quadratic, tensor(1.0, 2.0), method, callback=each) for each in (lambda x, _: None, spoil)
    )
    assert torch.equal(plain.x, spoiled.x)
    assert plain.nfev == spoiled.nfev


@pytest.mark.parametrize("method", EVERY)
def test_maxiter_is_the_most_that_is_made(method):
    for limit in (1, 2, 3):
        _, result = told(rosenbrock, tensor(-1.2, 1.0), method, maxiter=limit)
        assert result.nit <= limit
