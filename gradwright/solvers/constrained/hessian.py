"""The Hessian of the Lagrangian: exact and made positive definite, or Powell's damped BFGS."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.solvers.vectors import largest_entry


def convexified(H: Tensor, active: Tensor, floor: float = 1e-8) -> tuple[Tensor, float]:
    """H + σ WᵀW positive definite, where W holds the (normalised) rows that act as equalities; or |H| where no σ does.

    The added term is constant on the steps that satisfy Wd = −c, so it leaves the step of the quadratic program as it
    is and only shifts multipliers. It works exactly where H is positive definite on the null space of W: where a
    second-order
    method converges. Elsewhere eigenvalues are replaced by their magnitudes.

    Returns:
        the matrix and σ (0 where it was not used).
    """
    roots, vectors = torch.linalg.eigh(H)
    size = max(largest_entry(roots), 1e-300)
    if float(roots[0]) > floor * size:
        return H, 0.0
    if len(active):
        outer = active.T @ active
        for sigma in (1.0 * size, 10.0 * size, 100.0 * size):
            trial = H + sigma * outer
            if float(torch.linalg.eigvalsh(trial)[0]) > 1e-4 * size:
                return trial, sigma
    return (vectors * roots.abs().clamp(min=100 * floor * size)) @ vectors.T, 0.0


def damped_bfgs(B: Tensor, s: Tensor, y: Tensor, first: bool) -> Tensor:
    """B − Bs sᵀB / sᵀBs + y yᵀ / sᵀy, with y moved towards Bs where sᵀy < 0.2 sᵀBs, so that B stays positive definite.

    The first pair scales B = I by yᵀy / sᵀy before the update.

    Reference: Powell (1978); Nocedal and Wright, Numerical Optimization, procedure 18.2.
    """
    if not bool((s != 0).any()):
        return B
    if first and float(s @ y) > 0:
        B = torch.eye(len(s)).to(B) * float(y @ y / (s @ y))
    Bs = B @ s
    curvature = float(s @ Bs)
    if not curvature > 0:
        return B
    product = float(s @ y)
    theta = 1.0 if product >= 0.2 * curvature else 0.8 * curvature / (curvature - product)
    y = theta * y + (1 - theta) * Bs
    B = B - torch.outer(Bs, Bs) / curvature + torch.outer(y, y) / float(s @ y)
    return 0.5 * (B + B.T)
