"""LSMR for least-squares problems known by products."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator, as_operator
from gradwright.solvers.linear.solution import Solution
from gradwright.solvers.linear.vectors import norm


def lsmr(
    A: LinearOperator | Tensor,
    b: Tensor,
    damping: float = 0.0,
    rtol: float = 1e-6,
    maxiter: int | None = None,
) -> Solution:
    """Minimise ‖b − Ax‖² + damping² ‖x‖² for a rectangular A.

    Golub-Kahan bidiagonalisation of A, and MINRES on the normal equations in its basis: ‖Aᵀr‖ falls monotonically, and
    products are with A and Aᵀ only, so the condition number is not squared.

    Args:
        A: (m, n).
        b: (m,).
        damping: λ ≥ 0, which is squared.
        rtol: stop at ‖Aᵀr − λ²x‖ ≤ rtol ‖Aᵀb‖, r = b − Ax.
        maxiter: pairs of products at most (10 min(m, n)).

    Reference: Fong and Saunders, SIAM J. Sci. Comput. 33 (2011).

    >>> lsmr(torch.tensor([[1.0], [1.0]]), torch.tensor([1.0, 3.0])).x
    tensor([2.])
    """
    A = as_operator(A)
    x = torch.zeros(A.shape[1], dtype=b.dtype, device=b.device)
    beta = size = norm(b)
    if size == 0:
        return Solution(x, 0.0, 0, True, "b is zero.")
    u = b / beta
    v = A.T @ u
    alpha = norm(v)
    if alpha == 0:
        return Solution(x, 0.0, 1, True, "b is orthogonal to the columns of A.")
    v = v / alpha
    start = zeta_bar = alpha * beta
    alpha_bar, rho, rho_bar, c_bar, s_bar = alpha, 1.0, 1.0, 1.0, 0.0
    h, h_bar = v, torch.zeros_like(x)
    for count in range(1, (maxiter or 10 * min(A.shape)) + 1):
        u = A @ v - alpha * u
        beta = norm(u)
        if beta > 0:
            u = u / beta
            v = A.T @ u - beta * v
            alpha = norm(v)
            v = v / alpha if alpha > 0 else v
        else:
            alpha = 0.0
        damped = math.hypot(alpha_bar, damping)  # a rotation removes the damping
        past_rho, rho = rho, math.hypot(damped, beta)
        cosine, sine = damped / rho, beta / rho
        theta, alpha_bar = sine * alpha, cosine * alpha
        past_rho_bar, theta_bar, turned = rho_bar, s_bar * rho, c_bar * rho
        rho_bar = math.hypot(turned, theta)
        c_bar, s_bar = turned / rho_bar, theta / rho_bar
        zeta, zeta_bar = c_bar * zeta_bar, -s_bar * zeta_bar
        h_bar = h - (theta_bar * rho / (past_rho * past_rho_bar)) * h_bar
        x = x + (zeta / (rho * rho_bar)) * h_bar
        h = v - (theta / rho) * h
        if abs(zeta_bar) <= rtol * start:  # this is ‖Aᵀr − λ²x‖
            return Solution(x, abs(zeta_bar) / start, count, True, "The gradient of the residual is below rtol.")
        if alpha == 0 or not math.isfinite(zeta_bar):
            break
    return Solution(x, abs(zeta_bar) / start, count, False, "The iterations are used up.")
