"""What breaks optimisers: units, offsets, walls, missing minima, bad input. A status or an error that names it."""

import random
import warnings

import numpy as np
import pytest
import torch

from gradwright.solvers import Constraint, NotDeterministic, Status, least_squares, minimize
from tests.solvers.problems import F64, SMOOTH, log_barrier, rosenbrock, tensor

EVERY = (*SMOOTH, "sqp", "augmented-lagrangian")
"""Constraints are not asked for here, so methods that take them must keep the same promises."""

START = (-1.2, 1.0, 0.5)


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [2.0**-27, pytest.param(2.0**27, marks=pytest.mark.slow)])
def test_scaling_the_value_by_a_power_of_two_changes_no_iterate(method, scale):
    def path(factor):
        points = []
        minimize(
            lambda x: factor * rosenbrock(x), tensor(*START), method, callback=lambda x, _: points.append(x.clone())
        )
        return points

    plain, scaled = path(1.0), path(scale)
    common = min(len(plain), len(scaled))
    assert common > 2  # the augmented Lagrangian reports its outer iterations only, and here has nothing to update
    for one, other in zip(plain[:common], scaled[:common]):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize(
    ("scale", "shift"),
    [(1e-8, 0.0), (1e8, 0.0), (1.0, 1e5), pytest.param(1.0, -1e5, marks=pytest.mark.slow)],
)
def test_units_and_offsets_end_at_the_minimum_or_say_so(method, scale, shift):
    result = minimize(lambda x: scale * rosenbrock(x) + shift, tensor(*START), method)
    assert result.success or result.status is Status.NOISE_FLOOR
    if result.success:
        torch.testing.assert_close(result.x, torch.ones(3, dtype=F64), atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize(("scale", "shift"), [(1e-8, 0.0), (1e8, 0.0), (1.0, 1e5)])
def test_float32_units_and_offsets_end_at_the_minimum_or_say_so(method, scale, shift):
    result = minimize(lambda x: scale * rosenbrock(x) + shift, torch.tensor(START), method)
    assert result.success or result.status is Status.NOISE_FLOOR
    assert torch.isfinite(result.x).all()
    if result.success:
        torch.testing.assert_close(result.x, torch.ones(3), atol=2e-2, rtol=0)


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize("start", [(1e-9, 1e-9, 1e-9), (1e6, 1.0, 1e-6)])
def test_a_log_barrier_ends_inside_with_the_best_finite_point(method, start):
    result = minimize(log_barrier, tensor(*start), method)
    assert (result.x > 0).all()
    assert result.fun == min(each.value for each in result.trace)
    if result.success:
        torch.testing.assert_close(result.x, 1 / tensor(1.0, 2.0, 3.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-8])
def test_small_curvature_is_not_taken_for_none(scale):
    weights = torch.tensor([1.0, 10.0, 100.0])
    result = minimize(lambda x: scale * (weights * (x - 3) ** 2).sum(), torch.zeros(3))
    assert result.success
    torch.testing.assert_close(result.x, torch.full((3,), 3.0))


def test_float32_with_an_offset_goes_on_by_slopes():
    result = minimize(lambda x: rosenbrock(x) + 1e5, torch.tensor(START))
    torch.testing.assert_close(result.x, torch.ones(3), atol=1e-2, rtol=0)


@pytest.mark.parametrize("method", EVERY)
def test_a_wall_of_nan_is_too_far_away(method):
    def fun(x):
        wall = torch.sqrt(2 - x[0])  # NaN beyond 2, where the minimum would be
        return (x[0] - 1.9) ** 2 + x[1] ** 2 + 0 * wall

    result = minimize(fun, tensor(-40.0, 1.0), method)
    assert result.success, result
    torch.testing.assert_close(result.x, tensor(1.9, 0.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", EVERY)
def test_a_flat_valley_ends_honestly(method):
    allowed = 5 if method == "augmented-lagrangian" else 100  # each of its iterations is a run of another method
    result = minimize(
        lambda x: (x[1] - x[0] ** 2) ** 2 * 1e6 + 1e-6 * (x[0] - 5) ** 2, tensor(-2.0, 4.0), method, maxiter=allowed
    )
    assert torch.isfinite(result.x).all()
    assert result.fun <= 1e-4
    assert not result.success or float(result.jac.abs().max()) <= 1e-6


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize(
    "fun",
    [lambda x: x.sum(), lambda x: -(x * x).sum(), lambda x: -torch.exp(x).sum()],
    ids=["linear", "concave", "exp"],
)
def test_unbounded_problems_are_called_unbounded(method, fun):
    result = minimize(fun, tensor(0.5, 0.25), method)
    assert result.status is Status.UNBOUNDED
    assert not result.success


@pytest.mark.parametrize("method", [*EVERY, "owl-qn"])
def test_a_start_that_is_not_finite_is_named(method):
    result = minimize(lambda x: torch.log(x).sum(), tensor(-1.0, 1.0), method)
    assert result.status is Status.NON_FINITE
    assert "nan" in result.message
    bad_gradient = minimize(lambda x: torch.sqrt(x.abs()).sum(), tensor(0.0, 1.0), method)
    assert bad_gradient.status is Status.NON_FINITE
    assert "1 of 2 entries of its gradient" in bad_gradient.message


def test_a_maximum_is_left_along_negative_curvature():
    result = minimize(lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, tensor(0.0, 0.0))
    assert result.success
    assert result.fun == pytest.approx(-0.25)


@pytest.mark.parametrize("method", EVERY)
def test_a_start_at_the_minimum_is_success(method):
    result = minimize(lambda x: ((x - 1) ** 2).sum(), tensor(1.0, 1.0), method)
    assert result.success
    again = minimize(rosenbrock, minimize(rosenbrock, tensor(*START), method).x, method)
    assert again.success, again


def test_a_wrong_gradient_never_succeeds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in EVERY:
            result = minimize(lambda x: ((x - 1) ** 2).sum(), tensor(0.0, 0.5), method, jac=lambda x: -2 * (x - 1))
            assert result.status in (Status.STALLED, Status.NOISE_FLOOR), method
            assert result.fun <= 1.25


def test_a_random_function_is_found_out():
    generator = torch.Generator().manual_seed(0)  # its own, so that nothing tells before the search does
    for method in EVERY:
        result = minimize(
            lambda x: ((x - torch.rand(3, generator=generator)) ** 2).sum(), torch.zeros(3), method, maxiter=200
        )
        assert result.status is Status.NOT_DETERMINISTIC, method


@pytest.mark.parametrize(
    "draw",
    [lambda: torch.rand(()), lambda: np.random.rand(), lambda: random.random()],
    ids=["torch", "numpy", "python"],
)
def test_a_function_that_draws_random_numbers_is_refused_at_the_start(draw):
    # the minimum stays where it is, so that each of these would call it a success
    for method in ("auto", "l-bfgs-b", "sqp"):
        with pytest.raises(NotDeterministic, match="fun is not deterministic"):
            minimize(lambda x: (x * x).sum() * (1 + draw()), tensor(1.0, 2.0), method)
    with pytest.raises(NotDeterministic, match=r"constraints\[0\] is not deterministic"):
        minimize(lambda x: (x * x).sum(), tensor(1.0, 2.0), constraints=Constraint(lambda x: x[0] + draw(), 1.0))
    with pytest.raises(NotDeterministic):
        least_squares(lambda x: x - draw(), tensor(1.0, 2.0))


def test_a_function_that_seeds_itself_is_deterministic():
    def fun(x):
        return ((x - torch.rand(2, generator=torch.manual_seed(0), dtype=F64)) ** 2).sum()

    assert minimize(fun, tensor(0.0, 0.0)).success


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: minimize(rosenbrock, [1.0, 2.0]), "torch.tensor"),
        (lambda: minimize(rosenbrock, torch.tensor([1, 2])), "floating-point"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0) + 0j), "real"),
        (lambda: minimize(rosenbrock, torch.zeros(0)), "no numbers"),
        (lambda: minimize(rosenbrock, {"a": tensor(1.0), "b": torch.zeros(1)}), "one dtype"),
        (lambda: minimize(lambda x: x, tensor(1.0, 2.0)), r"shape \(2,\)"),
        (lambda: minimize(lambda x: 1.0, tensor(1.0, 2.0)), "float"),
        (lambda: minimize(lambda x: (x * x).sum().detach(), tensor(1.0, 2.0)), "does not depend on x"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), "newton"), "known are"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), gtol=-1.0), "gtol=-1.0"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), maxiter=0), "maxiter=0"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), "l-bfgs", hvp="auto"), "ignored"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), "l-bfgs", bounds=(0, 1)), "l-bfgs-b"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), hvp="exact"), "known are"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), jac=lambda x: x[:1]), r"jac has shape \(1,\)"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), hess=lambda x: torch.eye(3)), r"must be \(2, 2\)"),
        (lambda: minimize(rosenbrock, tensor(1.0, 2.0), "l-bfgs", options={"memory": 0}), "memory=0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_numbers_out_of_range_end_the_run():
    for method in EVERY:
        result = minimize(lambda x: 1e150 * rosenbrock(x), tensor(*START), method, maxiter=10)
        assert torch.isfinite(result.x).all(), method
        assert result.fun <= 1e150 * float(rosenbrock(tensor(*START)))


def test_a_fall_along_a_constraint_is_called_unbounded():
    for method in ("sqp", "augmented-lagrangian"):
        limit = Constraint(lambda x: x[0] - x[1], 0.0)
        result = minimize(lambda x: -x.sum(), tensor(1.0, 2.0), method, constraints=limit)
        assert result.status is Status.UNBOUNDED, method


def test_warnings_point_at_the_call():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        minimize(rosenbrock, tensor(-3.0, 1.0), bounds=(-2.0, 2.0))
    assert [each.filename for each in caught] == [__file__]
