"""Which K of the N times a short chain visits: the usual spacings, and the best one by dynamic programming."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.schedule import NoiseSchedule


def even_trajectory(steps: int, length: int) -> list[int]:
    """``length`` times from 1 to ``steps``, evenly spaced and rounded.

    Example:
        >>> even_trajectory(1000, 10)
        [1, 112, 223, 334, 445, 556, 667, 778, 889, 1000]
    """
    _check_length(steps, length)
    gap = (steps - 1) / (length - 1)
    return [round(1 + k * gap) for k in range(length)]


def ddim_trajectory(steps: int, length: int, quadratic: bool = False) -> list[int]:
    """The spacings of DDIM's code (arXiv:2010.02502): they start at 1 and end before ``steps``.

    Linear: 1 + k ⌊steps / length⌋. Quadratic: 1 + ⌊k-th of ``length`` even points from 0 to √(0.8 steps), squared⌋.

    Example:
        >>> ddim_trajectory(1000, 10, quadratic=True)
        [1, 10, 40, 89, 159, 247, 356, 484, 633, 801]
    """
    _check_length(steps, length)
    if not quadratic:
        return [1 + k * (steps // length) for k in range(length)]
    points = torch.linspace(0, (0.8 * steps) ** 0.5, length, dtype=torch.float64) ** 2
    # the last point is 0.8 steps but for rounding, which must not decide on which side of a whole number it falls
    path = [int(point) + 1 for point in (points * (1 + 1e-14)).tolist()]
    if any(b <= a for a, b in itertools.pairwise(path)):
        raise ValueError(
            f"length={length} is too many for quadratic spacing of {steps} steps: times occur twice; ask fewer"
        )
    return path


def power_trajectory(steps: int, length: int, power: float = 2.0) -> list[int]:
    """Times from 1 to ``steps`` that lie the denser, the nearer to the data: t_k = 1 + (N − 1) (1 − (1 − u_k)^(1/p)).

    u_k are ``length`` even points from 0 to 1. A time that rounding gives twice moves to the next one free.

    Args:
        power: p ≥ 1; 2. With 1 it is :func:`even_trajectory`.

    Reference: the ``power`` spacings of the authors' code for arXiv:2201.06503, for whole p.

    Example:
        >>> power_trajectory(1000, 10)
        [1, 58, 119, 184, 255, 334, 423, 529, 667, 1000]
    """
    _check_length(steps, length)
    if not 1 <= power < float("inf"):
        raise ValueError(f"power must be at least 1 and finite, got {power}; 1 is even spacing")
    path = [0]
    for k in range(length):
        left = 1 - k / (length - 1)
        path.append(max(path[-1] + 1, round(1 + (steps - 1) * (1 - left ** (1 / power)))))
    return path[1:]


def _check_length(steps: int, length: int) -> None:
    if not 2 <= length <= steps:
        raise ValueError(f"length must lie in 2 ... {steps}, the number of times there are, got {length}")


def step_costs(error: DenoisingError) -> Tensor:
    """½ ln(σ*²(s, t) / β̃(s, t)): what the step from t to s adds to the bound, in nats per dimension.

    This is the Kullback-Leibler divergence of the step at its optimal variance (DDPM's form). It is never negative.
    In the paper's J(s, t) = ln(1 − β_{t|s} Γ_t / β̄_t) it is ½ J plus ½ ln of (β̄_t / ᾱ_t) over (β̄_s / ᾱ_s), which
    telescopes: the same paths are best, and nothing has to be clamped where Γ_t is near one.

    Returns:
        float64, shape (N + 1, N + 1), entry [s, t] for 1 ≤ s < t ≤ N; infinite elsewhere.
    """
    schedule = error.schedule
    mse = error.at(torch.arange(1, schedule.steps + 1)).flatten(1) if error.estimate.dim() > 1 else None
    flat = error.at(torch.arange(1, schedule.steps + 1)) if mse is None else mse
    costs = torch.full((schedule.steps + 1, schedule.steps + 1), torch.inf, dtype=torch.float64)
    for t in range(2, schedule.steps + 1):
        s = torch.arange(1, t)
        # gain / β̃ = ᾱ_s β_{t|s} / (β̄_t β̄_s)
        ratio = schedule.alpha_bar(s) * schedule.beta(s, torch.tensor(t)) / schedule.beta_bar(t) / schedule.beta_bar(s)
        grown = torch.log1p(ratio * flat[t - 1]) if mse is None else torch.log1p(ratio[:, None] * flat[t - 1]).mean(1)
        costs[1:t, t] = 0.5 * grown
    return costs


def shortest_path(costs: Tensor, length: int, start: int, end: int) -> list[int]:
    """The cheapest increasing path of ``length`` nodes from ``start`` to ``end``, by dynamic programming.

    C[k, t] = min_s C[k − 1, s] + costs[s, t], which is O(length · nodes²). For measured costs, such as the terms of the
    bound for every pair of times, with node 0 for the data.

    Args:
        costs: shape (M, M), entry [s, t] for a step between s < t; the rest is not read.
        length: nodes on the path, both ends included.

    Raises:
        ValueError: shapes or nodes that do not fit, NaN, or no path of finite cost.
    """
    costs = torch.as_tensor(costs, dtype=torch.float64)
    if costs.dim() != 2 or len(costs) != costs.shape[1]:
        raise ValueError(f"costs must be a square matrix, got shape {tuple(costs.shape)}")
    if not 0 <= start < end < len(costs):
        raise ValueError(f"start and end must be nodes 0 ... {len(costs) - 1}, start first, got {start} and {end}")
    if not 2 <= length <= end - start + 1:
        raise ValueError(f"length must lie in 2 ... {end - start + 1}, the nodes from {start} to {end}, got {length}")
    above = torch.ones_like(costs, dtype=torch.bool).triu(1)
    part = torch.where(above, costs, torch.inf)[start : end + 1, start : end + 1]
    if part.isnan().any():
        raise ValueError("costs holds NaN above its diagonal; a pair that may not be used has cost infinity")
    best = torch.full((len(part),), torch.inf, dtype=torch.float64)
    best[0] = 0.0
    came = []
    for _ in range(length - 1):
        best, source = (best[:, None] + part).min(0)
        came.append(source)
    if not torch.isfinite(best[-1]):
        raise ValueError(f"costs allow no path of {length} nodes from {start} to {end}; some pair must be finite")
    path = [len(part) - 1]
    for source in reversed(came):
        path.append(int(source[path[-1]]))
    return [start + node for node in reversed(path)]


def optimal_trajectory(error: DenoisingError, length: int) -> list[int]:
    """The ``length`` times from 1 to N whose chain with optimal variances has the tightest bound.

    Args:
        error: the denoiser's error; measured at times 1 and N at least. One value a pixel is allowed and slower.
        length: K, both ends included.

    Raises:
        ValueError: ``length`` does not fit, or the error is 0 at a late time but not before, so that a step from there
            would look free.

    Deviates from the authors' code, which takes out the times with Γ̂_t > 1 and spaces the rest evenly: here such a
    curve is refused, and :meth:`DenoisingError.monotone` mends it.

    Reference: arXiv:2201.06503, section 4.3.
    """
    _check_length(error.schedule.steps, length)
    mse = error.mse.flatten(1).mean(1) if error.estimate.dim() > 1 else error.mse
    free = (mse == 0) & (mse.cummax(0).values > 0)
    if free.any():
        raise ValueError(
            f"error is 0 at times {error.times[free].tolist()[:5]} ... although it is positive earlier, so steps from "
            f"there would look free; use error.monotone(), or measure with source='residual'"
        )
    return shortest_path(step_costs(error), length, start=1, end=error.schedule.steps)


def trajectory_cost(error: DenoisingError, trajectory: list[int]) -> float:
    """Σ ½ ln(σ*² / β̃) along a path, in nats per dimension: what :func:`optimal_trajectory` makes small."""
    schedule: NoiseSchedule = error.schedule
    total = 0.0
    for s, t in itertools.pairwise(trajectory):
        ratio = schedule.alpha_bar(s) * schedule.beta(s, t) / schedule.beta_bar(t) / schedule.beta_bar(s)
        total += 0.5 * torch.log1p(ratio * error.at(t)).mean().item()
    return total
