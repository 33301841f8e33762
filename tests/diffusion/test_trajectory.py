"""Trajectories: the worked paths, brute force, and what is refused."""

import itertools

import numpy as np
import pytest
import torch

from gradwright.diffusion import (
    DenoisingError,
    NoiseSchedule,
    ddim_trajectory,
    even_trajectory,
    optimal_trajectory,
    power_trajectory,
    shortest_path,
    step_costs,
    trajectory_cost,
)
from gradwright.diffusion.check import as_trajectory
from tests.diffusion import reference
from tests.diffusion.toys import EVERY, LINEAR, MIXTURE, MIXTURE_ERROR


def exact(schedule):
    times = torch.arange(1, schedule.steps + 1)
    return DenoisingError(schedule, times, MIXTURE.denoising_error(schedule, times))


@pytest.fixture(scope="module")
def linear_error():
    return DenoisingError(LINEAR, EVERY, MIXTURE_ERROR)


def by_time(error):
    """ᾱ and Γ with an entry for time 0, as numpy."""
    ab = reference.alphas_cumprod(error.schedule.betas.numpy())
    return ab, np.concatenate([[0.0], error.noise_power.numpy()])


def test_the_usual_spacings():
    assert even_trajectory(1000, 10) == [1, 112, 223, 334, 445, 556, 667, 778, 889, 1000]
    assert ddim_trajectory(1000, 10) == [1, 101, 201, 301, 401, 501, 601, 701, 801, 901]
    assert ddim_trajectory(1000, 10, quadratic=True) == [1, 10, 40, 89, 159, 247, 356, 484, 633, 801]
    assert even_trajectory(7, 7) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("steps", [10, 37, 1000])
@pytest.mark.parametrize("power", [1, 2, 3, 7.5])
def test_power_spacing(steps, power):
    """The share of the way left to noise falls evenly in its p-th power; where times are too dense, each is taken."""
    for length in (2, 5, 9, steps // 2, steps - 1, steps):
        path = power_trajectory(steps, length, power)
        assert len(path) == length
        assert (path[0], path[-1]) == (1, steps)
        wanted = 1 + (steps - 1) * (1 - np.linspace(1, 0, length) ** (1 / power))
        for before, time, ideal in zip([0, *path], path, wanted):
            assert time > before
            assert abs(time - ideal) <= 0.5 + 1e-9 or (time == before + 1 and time > ideal)
    assert power_trajectory(steps, 6, 1) == even_trajectory(steps, 6)
    assert power_trajectory(1000, 10, 2) == [1, 58, 119, 184, 255, 334, 423, 529, 667, 1000]


@pytest.mark.parametrize(
    ("length", "path", "cost", "even"),
    [
        (5, [1, 63, 102, 149, 1000], -12.4884886367, -10.5856149563),
        (10, [1, 29, 59, 82, 102, 122, 145, 174, 219, 1000], -12.8154397030, -11.7154663704),
    ],
)
def test_the_worked_paths_of_the_mixture(linear_error, length, path, cost, even):
    ab, gamma = by_time(linear_error)
    assert optimal_trajectory(linear_error, length) == path
    # a last step from N has 1 − Γ = 3e-5, so a quadrature error of 3e-13 in the worked Γ is one of 1e-8 here
    assert reference.path_cost_j(ab, gamma, path) == pytest.approx(cost, abs=2e-8)
    assert reference.path_cost_j(ab, gamma, even_trajectory(1000, length)) == pytest.approx(even, abs=2e-8)


def test_our_costs_are_the_papers_but_for_a_constant(linear_error):
    ab, gamma = by_time(linear_error)
    constant = 0.5 * np.log((1 - ab[1000]) / ab[1000] / ((1 - ab[1]) / ab[1]))
    costs = step_costs(linear_error)
    for path in ([1, 1000], [1, 63, 102, 149, 1000], even_trajectory(1000, 40)):
        ours = trajectory_cost(linear_error, path)
        assert ours == pytest.approx(0.5 * reference.path_cost_j(ab, gamma, path) + constant, rel=1e-9)
        assert ours == pytest.approx(sum(costs[s, t].item() for s, t in itertools.pairwise(path)), rel=1e-12)


def test_a_small_schedule_agrees_with_brute_force():
    error = exact(NoiseSchedule.linear(12, 0.02, 0.5))
    ab, gamma = by_time(error)
    for length in (2, 3, 4, 6):
        assert optimal_trajectory(error, length) == reference.best_path_by_force(ab, gamma, length)
    assert optimal_trajectory(error, 4) == [1, 2, 3, 12]
    assert reference.path_cost_j(ab, gamma, [1, 2, 3, 12]) == pytest.approx(-5.3522159446, abs=1e-9)
    assert optimal_trajectory(error, 12) == list(range(1, 13))


def test_one_error_for_each_pixel_is_their_mean_cost():
    schedule = NoiseSchedule.linear(12, 0.02, 0.5)
    one = exact(schedule)
    same = DenoisingError(schedule, one.times, one.estimate[:, None].expand(-1, 3))
    torch.testing.assert_close(step_costs(same), step_costs(one))
    mixed = DenoisingError(schedule, one.times, torch.stack([one.estimate, 2 * one.estimate], 1))
    double = DenoisingError(schedule, one.times, 2 * one.estimate)
    torch.testing.assert_close(step_costs(mixed), (step_costs(one) + step_costs(double)) / 2)
    assert trajectory_cost(mixed, [1, 5, 12]) == pytest.approx(
        (trajectory_cost(one, [1, 5, 12]) + trajectory_cost(double, [1, 5, 12])) / 2
    )


def test_measured_costs_by_dynamic_programming():
    costs = torch.rand(9, 9, generator=torch.Generator().manual_seed(3))
    for length in (2, 4, 9):
        paths = ([0, *inner, 8] for inner in itertools.combinations(range(1, 8), length - 2))
        best = min(paths, key=lambda path: sum(costs[s, t].item() for s, t in itertools.pairwise(path)))
        assert shortest_path(costs, length, 0, 8) == best
    costs.fill_(float("nan")).masked_fill_(torch.ones(9, 9).triu(1).bool(), 1.0)
    assert len(shortest_path(costs, 5, 0, 8)) == 5  # what is not above the diagonal is not read


def test_a_point_mass_has_no_preference_and_a_broken_curve_is_refused():
    zero = DenoisingError(LINEAR, torch.tensor([1, 1000]), torch.zeros(2))
    assert len(optimal_trajectory(zero, 5)) == 5
    broken = DenoisingError(LINEAR, torch.tensor([1, 500, 1000]), torch.tensor([0.1, 0.2, -0.1]))
    with pytest.raises(ValueError, match=r"0 at times \[1000\].*monotone"):
        optimal_trajectory(broken, 5)
    assert len(optimal_trajectory(broken.monotone(), 5)) == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: even_trajectory(10, 1), "length must lie in 2 ... 10"),
        (lambda: power_trajectory(10, 4, 0.5), "power must be at least 1"),
        (lambda: even_trajectory(10, 11), "got 11"),
        (lambda: ddim_trajectory(10, 9, quadratic=True), "times occur twice"),
        (lambda: as_trajectory([2, 10], 10), "must start at time 1.*starts at 2"),
        (lambda: as_trajectory([1, 9], 10), "must end at time 10.*append 10"),
        (lambda: as_trajectory([1, 5, 5, 10], 10), "increase strictly"),
        (lambda: as_trajectory([10, 1], 10), "increase strictly"),
        (lambda: as_trajectory([1, 11], 10), "must lie in 1 ... 10"),
        (lambda: as_trajectory([1], 10), "two or more"),
        (lambda: shortest_path(torch.zeros(3, 4), 2, 0, 2), "square"),
        (lambda: shortest_path(torch.zeros(3, 3), 4, 0, 2), "length must lie in 2 ... 3"),
        (lambda: shortest_path(torch.zeros(3, 3), 2, 2, 2), "start and end"),
        (lambda: shortest_path(torch.full((3, 3), float("nan")), 2, 0, 2), "NaN"),
        (lambda: shortest_path(torch.full((3, 3), float("inf")), 2, 0, 2), "no path"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    assert as_trajectory([1, 9], 10, allow_short=True) == [1, 9]
