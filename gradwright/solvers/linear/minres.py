"""MINRES for symmetric systems of any sign."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator, as_operator
from gradwright.solvers.linear.solution import Solution
from gradwright.solvers.linear.vectors import dot, norm


def minres(
    A: LinearOperator | Tensor,
    b: Tensor,
    shift: float = 0.0,
    rtol: float = 1e-6,
    maxiter: int | None = None,
) -> Solution:
    """Minimise ‖b − (A + shift I)x‖ for a symmetric A, which may be indefinite or singular.

    Lanczos builds Av_k = β_k v_{k−1} + α_k v_k + β_{k+1} v_{k+1}; plane rotations keep the QR factors of the
    tridiagonal matrix, and x is updated along the columns of VR⁻¹. The residual falls monotonically.

    Args:
        A: (n, n), symmetric.
        b: (n,).
        shift: λ.
        rtol: stop at ‖r‖ ≤ rtol ‖b‖, or, for a singular system, at ‖Ar‖ ≤ max(rtol, 10 √ε) ‖A‖ ‖r‖
            once the residual stands still.
        maxiter: products at most (10 n).

    Reference: Paige and Saunders, SIAM J. Numer. Anal. 12 (1975).

    >>> minres(torch.diag(torch.tensor([1.0, -4.0])), torch.tensor([1.0, 8.0])).x.round(decimals=4)
    tensor([ 1., -2.])
    """
    A = as_operator(A)
    x = torch.zeros_like(b)
    size = norm(b)
    if size == 0:
        return Solution(x, 0.0, 0, True, "b is zero.")
    eps = torch.finfo(b.dtype).eps
    old, v, beta = torch.zeros_like(b), b / size, 0.0
    before, last = torch.zeros_like(b), torch.zeros_like(b)
    cosine, sine, past_cosine, past_sine = 1.0, 0.0, 1.0, 0.0
    residual, largest = size, 0.0
    for count in range(1, (maxiter or 10 * b.numel()) + 1):
        product = A @ v + shift * v
        alpha = dot(v, product)
        rest = product - alpha * v - beta * old
        ahead = norm(rest)
        far = past_sine * beta
        near = past_cosine * cosine * beta + sine * alpha
        bar = cosine * alpha - past_cosine * sine * beta
        pivot = math.hypot(bar, ahead)
        largest = max(largest, math.sqrt(alpha * alpha + beta * beta + ahead * ahead))
        # ‖Ar‖ = ‖r‖ √(bar² + (c β⁺)²): zero where the system is inconsistent and nothing more can be gained
        slack = math.hypot(bar, cosine * ahead)
        # rounding in the Lanczos vectors keeps it from falling much below √ε, while the residual stands still
        still = slack <= 10 * eps**0.5 * largest and abs(sine) >= 1 - eps**0.5
        if slack <= rtol * largest or still or pivot <= eps * largest:
            return Solution(x, abs(residual) / size, count, True, "A is singular: this is a least-squares solution.")
        past_cosine, past_sine = cosine, sine
        cosine, sine = bar / pivot, ahead / pivot
        column = (v - far * before - near * last) / pivot
        before, last = last, column
        x = x + (cosine * residual) * column
        residual = -sine * residual
        if abs(residual) <= rtol * size:
            return Solution(x, abs(residual) / size, count, True, "The residual is below rtol.")
        if ahead <= eps * largest:
            return Solution(x, abs(residual) / size, count, False, "The Krylov space is exhausted.")
        old, v, beta = v, rest / ahead, ahead
    return Solution(x, abs(residual) / size, count, False, "The iterations are used up.")
