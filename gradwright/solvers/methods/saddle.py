"""Escape from a stationary point that is not a minimum."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.problem.objective import Objective, Point


def lowest_curvature(H: LinearOperator, like: Tensor, steps: int = 10, seed: int = 0) -> tuple[float, Tensor, float]:
    """The smallest Ritz value of H after a few Lanczos steps from a random vector, its unit vector, and ‖H‖ as seen.

    Args:
        H: (n, n), symmetric.
        like: a vector of the dtype and device to work in.
        steps: products, at most n.
        seed: of the random vector.
    """
    random = torch.randn(like.numel(), generator=torch.Generator().manual_seed(seed), dtype=torch.float64, device="cpu")
    basis = [(random / random.norm()).to(like)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(steps, like.numel())):
        product = H @ basis[-1]
        diagonal.append(dot(basis[-1], product))
        for old in (*basis, *basis):  # twice, so that the basis stays orthogonal
            product = product - dot(old, product) * old
        rest = norm(product)
        if rest <= 1e-10 * max(map(abs, diagonal + beside), default=0.0) or rest == 0:
            break
        beside.append(rest)
        basis.append(product / rest)
    size = len(diagonal)
    small = torch.diag(torch.tensor(diagonal, dtype=torch.float64, device="cpu"))
    for index, value in enumerate(beside[: size - 1]):
        small[index, index + 1] = small[index + 1, index] = value
    values, vectors = torch.linalg.eigh(small)
    ritz = torch.stack(basis[:size], dim=1) @ vectors[:, 0].to(like)
    return float(values[0]), ritz, float(values.abs().max())


def escape_saddle(objective: Objective, point: Point) -> Point | None:
    """A lower point along negative curvature, or None where none is found.

    Steps of a tenth of max(1, ‖x‖) and shorter are tried to both sides.
    """
    value, direction, size = lowest_curvature(point.hessian, point.x)
    if not value < -1e3 * objective.eps * size:
        return None
    length = 0.1 * max(1.0, norm(point.x))
    while length * length * abs(value) > objective.noise(point.value) and length > 1e-8:
        for sign in (1.0, -1.0):
            trial = objective.at(point.x + sign * length * direction)
            if math.isfinite(trial.value) and trial.value < point.value and trial.usable:
                return trial
        length *= 0.25
    return None
