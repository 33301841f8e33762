"""Steihaug-Toint truncated conjugate gradients: a trust-region step, and the path to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import dot


@dataclass(frozen=True)
class Segment:
    """One CG step: from its start along d, up to ``limit`` (infinite where the curvature is not positive).

    gamma = rᵀM⁻¹r and kappa = dᵀHd give the model's decrease along it: τ gamma − ½ τ² kappa.
    """

    gamma: float
    kappa: float
    limit: float
    pp: float
    pd: float
    dd: float
    reduction: float

    def decrease(self, tau: float) -> float:
        return tau * self.gamma - 0.5 * tau * tau * self.kappa

    def reach(self, radius: float) -> float:
        """The τ > 0 at which ‖p + τd‖ = radius, computed without cancellation."""
        room = max(radius * radius - self.pp, 0.0)
        root = math.sqrt(max(self.pd * self.pd + self.dd * room, 0.0))
        return room / (self.pd + root) if self.pd > 0 else (root - self.pd) / self.dd

    def reach_back(self, radius: float) -> float:
        """The τ < 0 at which the line leaves the region on the other side."""
        room = max(radius * radius - self.pp, 0.0)
        root = math.sqrt(max(self.pd * self.pd + self.dd * room, 0.0))
        return -(self.pd + root) / self.dd if self.pd > 0 else -room / (root - self.pd) if room else 0.0


@dataclass(frozen=True)
class Step:
    """A step p, the decrease the model expects of it, and whether the radius cut it off."""

    p: Tensor
    reduction: float
    length: float
    boundary: bool


@dataclass
class Path:
    """The CG iterates p₀ = 0, p₁, ..., and the model's decrease at each: any smaller radius is served from here.

    Attributes:
        radius: for which it was computed.
        negative: whether it ended because dᵀHd ≤ 0.
        products: how many products it took.
    """

    radius: float
    points: list[Tensor] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    last: Tensor | None = None
    negative: bool = False
    residual: float = 1.0

    @property
    def products(self) -> int:
        return len(self.segments)

    def within(self, radius: float) -> Step:
        """The truncated step for a radius not above that of the path: no new product is needed."""
        for index, segment in enumerate(self.segments):
            tau = segment.reach(radius)
            if tau > segment.limit:
                continue
            final = index + 1 == len(self.segments)
            if final and self.last is not None:
                direction = self.last
            else:
                direction = (self.points[index + 1] - self.points[index]) / segment.limit
            if final and self.negative:
                back = segment.reach_back(radius)
                tau = back if segment.decrease(back) > segment.decrease(tau) else tau
            return Step(self.points[index] + tau * direction, segment.reduction + segment.decrease(tau), radius, True)
        end = self.segments[-1]
        tail = end.limit
        length = math.sqrt(max(end.pp + 2 * tail * end.pd + tail * tail * end.dd, 0.0))
        return Step(self.points[-1], end.reduction + end.decrease(tail), length, False)


def steihaug(
    H: LinearOperator,
    gradient: Tensor,
    radius: float | Callable[[float], float],
    forcing: float = 0.1,
    precondition: Callable[[Tensor], Tensor] | None = None,
    max_iter: int | None = None,
    eps: float = 2.3e-16,
) -> Path:
    """Minimise gᵀp + ½ pᵀHp over ‖p‖_M ≤ radius by conjugate gradients, up to the first reason to stop.

    It stops where dᵀHd is not positive, where the path leaves the region (in both cases at the boundary), or where
    ‖r‖_{M⁻¹} ≤ forcing · ‖g‖_{M⁻¹}. The decrease of the model is summed from the recurrence, so it is positive by
    construction and costs no product. Norms of p come from recurrences, so M is never applied.

    Args:
        H: the Hessian, symmetric, of any sign.
        gradient: g, not zero.
        radius: of the region; or a function of the length of the Cauchy step ‖g‖³ / gᵀHg (infinite where gᵀHg ≤ 0).
        forcing: η.
        precondition: r ↦ M⁻¹r with M positive definite.
        max_iter: products at most (2n by default, at least 20 and at most 1,000).
        eps: of the precision that products have.

    Returns:
        the path; ``path.within(path.radius)`` is the step.

    References: Steihaug, SIAM J. Numer. Anal. 20 (1983); Toint (1981).
    """
    size = gradient.numel()
    max_iter = max_iter or min(max(2 * size, 20), 1000)
    p = torch.zeros_like(gradient)
    r = gradient.clone()
    z = precondition(r) if precondition else r
    d = -z
    gamma = dot(r, z)
    if not gamma > 0:
        raise ValueError(f"the preconditioner is not positive definite: rᵀM⁻¹r = {gamma:.3g}; give one that is")
    first, pp, pd, dd, reduction = gamma, 0.0, 0.0, gamma, 0.0
    path = Path(radius if isinstance(radius, float) else math.inf, [p])
    for _ in range(max_iter):
        product = H @ d
        kappa = dot(d, product)
        curved = kappa > 10 * eps * dot(d.abs(), product.abs())
        alpha = gamma / kappa if curved else math.inf
        if callable(radius) and not path.segments:
            path.radius = radius(alpha * math.sqrt(dd))
        segment = Segment(gamma, kappa if kappa == kappa else 0.0, alpha, pp, pd, dd, reduction)
        path.segments.append(segment)
        if not curved or segment.reach(path.radius) <= alpha:
            path.last, path.negative = d, not curved
            return path
        p = p + alpha * d
        path.points.append(p)
        r = r + alpha * product
        z = precondition(r) if precondition else r
        fresh = dot(r, z)
        reduction += segment.decrease(alpha)
        path.residual = math.sqrt(max(fresh, 0.0) / first)
        if path.residual <= forcing:
            return path
        beta = fresh / gamma
        pp, pd, dd = pp + alpha * (2 * pd + alpha * dd), beta * (pd + alpha * dd), fresh + beta * beta * dd
        d = beta * d - z
        gamma = fresh
    return path
