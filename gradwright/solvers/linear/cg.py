"""Preconditioned conjugate gradients for symmetric positive definite systems."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator, as_operator
from gradwright.solvers.linear.solution import Solution
from gradwright.solvers.linear.vectors import dot, norm


def pcg(
    A: LinearOperator | Tensor,
    b: Tensor,
    x0: Tensor | None = None,
    precondition: Callable[[Tensor], Tensor] | None = None,
    rtol: float = 1e-6,
    maxiter: int | None = None,
) -> Solution:
    """Solve Ax = b for a symmetric positive definite A.

    z = M⁻¹r,  α = rᵀz / dᵀAd,  x ← x + αd,  r ← r − αAd,  β = r⁺ᵀz⁺ / rᵀz,  d ← z + βd.

    Args:
        A: (n, n).
        b: (n,).
        x0: where to start (0).
        precondition: r ↦ M⁻¹r with M positive definite.
        rtol: stop at ‖r‖ ≤ rtol ‖b‖.
        maxiter: products at most (10 n).

    Returns:
        the solution; where a direction of curvature that is not positive is met, the iterate so far with that
        direction, not converged.

    Raises:
        ValueError: the preconditioner is not positive definite.

    >>> pcg(torch.diag(torch.tensor([1.0, 4.0])), torch.tensor([1.0, 8.0])).x.round(decimals=4)
    tensor([1., 2.])
    """
    A = as_operator(A)
    eps = torch.finfo(b.dtype).eps
    x = torch.zeros_like(b) if x0 is None else x0.clone()
    r = b.clone() if x0 is None else b - A @ x
    size, count = norm(b), 0
    if size == 0:
        return Solution(torch.zeros_like(b), 0.0, 0, True, "b is zero.")
    z = precondition(r) if precondition else r
    d, gamma = z, dot(r, z)
    while norm(r) > rtol * size:
        if not gamma > 0:
            raise ValueError(f"the preconditioner is not positive definite: rᵀM⁻¹r = {gamma:.3g}; give one that is")
        if count >= (maxiter or 10 * b.numel()):
            return Solution(x, norm(r) / size, count, False, "The iterations are used up.")
        product = A @ d
        count += 1
        kappa = dot(d, product)
        if not kappa > eps * norm(d) * norm(product):
            return Solution(x, norm(r) / size, count, False, "A is not positive definite along direction.", d)
        alpha = gamma / kappa
        x, r = x + alpha * d, r - alpha * product
        z = precondition(r) if precondition else r
        fresh = dot(r, z)
        d, gamma = z + (fresh / gamma) * d, fresh
    residual = norm(r) / size
    return Solution(x, residual, count, math.isfinite(residual), "The residual is below rtol.")
