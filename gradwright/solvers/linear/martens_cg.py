"""Conjugate gradients as Hessian-free optimisation uses them: stopped by relative progress, several iterates kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import dot


class Iterate(NamedTuple):
    """x, q(x) = ½ xᵀAx − bᵀx, and xᵀAx, which tells q at every multiple of x."""

    x: Tensor
    q: float
    curvature: float


@dataclass(frozen=True)
class Run:
    """What CG found.

    Attributes:
        kept: iterates number ⌈1.3ʲ⌉, j = 0, 1, ..., and the last one.
        products: how many.
        negative: dᵀAd / dᵀd of the direction that ended it, where that is not positive.
    """

    kept: list[Iterate]
    products: int
    negative: float | None = None


def martens_cg(
    A: LinearOperator,
    b: Tensor,
    x0: Tensor | None = None,
    precondition: Callable[[Tensor], Tensor] | None = None,
    tolerance: float = 5e-4,
    maxiter: int = 250,
    eps: float = 2.3e-16,
) -> Run:
    """Minimise q(x) = ½ xᵀAx − bᵀx until the last k iterations brought less than ``tolerance`` · k of q.

    It stops at iteration i > k with q(xᵢ) < 0 and (q(xᵢ) − q(xᵢ₋ₖ)) / q(xᵢ) < k · tolerance, k = max(10, ⌈i/10⌉). With
    r = Ax − b, q = ½ (r − b)ᵀx and xᵀAx = (r + b)ᵀx, so neither needs a product.

    Args:
        A: symmetric positive definite; where it turns out not to be, CG stops.
        b: (n,).
        x0: where to start (0).
        precondition: r ↦ M⁻¹r.
        tolerance: ε.
        maxiter: products at most.
        eps: of the precision of products.

    Reference: Martens, ICML 2010, 4.4 to 4.7.
    """
    x = torch.zeros_like(b) if x0 is None else x0.clone()
    count = 0
    r = -b.clone()
    if x0 is not None:
        r, count = A @ x - b, 1
    z = precondition(r) if precondition else r
    d, gamma = -z, dot(r, z)
    history, kept, due, negative = [0.5 * dot(r - b, x)], [], 1.0, None
    for index in range(1, maxiter + 1):
        if not gamma > 0:
            break
        product = A @ d
        count += 1
        kappa = dot(d, product)
        if not kappa > 10 * eps * dot(d.abs(), product.abs()):
            negative = kappa / dot(d, d)
            break
        alpha = gamma / kappa
        x, r = x + alpha * d, r + alpha * product
        q = 0.5 * dot(r - b, x)
        history.append(q)
        span = max(10, math.ceil(0.1 * index))
        done = index > span and q < 0 and (q - history[index - span]) / q < span * tolerance
        if index >= math.ceil(due) or done or index == maxiter:
            kept.append(Iterate(x, q, dot(r + b, x)))
            while math.ceil(due) <= index:
                due *= 1.3
        if done:
            break
        z = precondition(r) if precondition else r
        fresh = dot(r, z)
        d, gamma = (fresh / gamma) * d - z, fresh
    if kept and kept[-1].x is not x:
        kept.append(Iterate(x, history[-1], dot(r + b, x)))
    return Run(kept, count, negative)
