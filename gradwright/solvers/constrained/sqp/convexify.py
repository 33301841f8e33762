"""The Hessian of the Lagrangian: exact and made positive definite, or Powell's damped BFGS."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import largest_entry


@dataclass(frozen=True)
class Convex:
    """A positive definite matrix B that takes the place of H.

    Attributes:
        matrix: B.
        sigma: B = H + σ WᵀW, or 0 where |H| took its place.
        W: rows that act as equalities, (rows of J or the identity) / lengths.
        lengths: what they were divided by.
    """

    matrix: Tensor
    sigma: float
    W: Tensor
    lengths: Tensor

    def shift(self, d: Tensor) -> Tensor:
        """What the added term takes from the multiplier of each row of W at a step d."""
        return self.sigma * (self.W @ d) / self.lengths


def convexified(H: Tensor, rows: Tensor, floor: float = 1e-8) -> Convex:
    """H + σ WᵀW positive definite, where W holds rows that act as equalities; or |H| where no σ does.

    The added term is constant on the steps that satisfy Wd = −c, so it leaves the step of the quadratic program as it
    is and only shifts multipliers. It works exactly where H is positive definite on the null space of W: where a
    second-order method converges. Elsewhere eigenvalues are replaced by their magnitudes. Both are done in variables
    in which the rows of H are of one size, so that units of x change nothing.

    Args:
        H: (n, n), symmetric.
        rows: (k, n), none of them zero.
        floor: of eigenvalues, relative to the largest.
    """
    units = _units(H)
    scaled = units[:, None] * H * units
    lengths = (rows * units).norm(dim=-1)
    W = rows / lengths[:, None]
    values, vectors = torch.linalg.eigh(scaled)
    size = max(largest_entry(values), 1e-300)
    if float(values[0]) > floor * size:
        return Convex(H, 0.0, W, lengths)
    outer = (W * units).T @ (W * units)
    for sigma in (1.0 * size, 10.0 * size, 100.0 * size) if len(rows) else ():
        if float(torch.linalg.eigvalsh(scaled + sigma * outer)[0]) > 1e-4 * size:
            return Convex(H + sigma * W.T @ W, sigma, W, lengths)
    vectors = vectors / units[:, None]
    return Convex((vectors * values.abs().clamp(min=100 * floor * size)) @ vectors.T, 0.0, W, lengths)


def _units(H: Tensor, sweeps: int = 6) -> Tensor:
    """u with rows of uᵢHᵢⱼuⱼ of size one (Ruiz); rows of zeros get the unit of the largest."""
    u = torch.ones_like(H[0])
    for _ in range(sweeps):
        height = (u[:, None] * H * u).abs().amax(-1)
        u = u * torch.where(height > 0, height, 1.0).rsqrt()
    empty = H.abs().amax(-1) == 0
    return torch.where(empty, u.min() if bool(empty.all()) else u[~empty].min(), u)


def damped_bfgs(B: Tensor, s: Tensor, y: Tensor, first: bool) -> Tensor:
    """B − Bs sᵀB / sᵀBs + y yᵀ / sᵀy, with y moved towards Bs where sᵀy < 0.2 sᵀBs, so that B stays positive definite.

    The first pair scales B = I by yᵀy / sᵀy before the update.

    Reference: Powell (1978); Nocedal and Wright, Numerical Optimization, procedure 18.2.
    """
    if not bool((s != 0).any()):
        return B
    if first and float(s @ y) > 0:
        B = torch.eye(len(s), dtype=B.dtype, device=B.device) * float(y @ y / (s @ y))
    Bs = B @ s
    curvature = float(s @ Bs)
    if not curvature > 0:
        return B
    product = float(s @ y)
    theta = 1.0 if product >= 0.2 * curvature else 0.8 * curvature / (curvature - product)
    y = theta * y + (1 - theta) * Bs
    B = B - torch.outer(Bs, Bs) / curvature + torch.outer(y, y) / float(s @ y)
    return 0.5 * (B + B.T)
