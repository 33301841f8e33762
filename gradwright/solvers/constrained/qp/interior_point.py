"""Mehrotra's predictor-corrector for batches of convex quadratic programs in standard form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.constrained.qp.standard_form import StandardForm, apply, largest


@dataclass
class PrimalDual:
    """x (B, n), multipliers y (B, p) of Ax = b and z (B, m) ≥ 0 of Gx + s = h, slacks s (B, m) ≥ 0."""

    x: Tensor
    y: Tensor
    z: Tensor
    s: Tensor

    def moved(self, step: PrimalDual, alpha: Tensor) -> PrimalDual:
        """Each instance moved by its own α; α = 0 leaves it as it is, whatever the step holds."""
        pairs = zip((self.x, self.y, self.z, self.s), (step.x, step.y, step.z, step.s))
        return PrimalDual(*(torch.where(alpha > 0, old + alpha * new, old) for old, new in pairs))


@dataclass
class Outcome:
    """Where the iteration ended.

    Attributes:
        at: the last iterate.
        converged: (B,) whether all residuals are below the tolerance.
        iterations: (B,) spent on each instance.
    """

    at: PrimalDual
    converged: Tensor
    iterations: Tensor


def interior_point(
    form: StandardForm, tol: float, maxiter: int, start: PrimalDual | None = None, regularisation: float | None = None
) -> Outcome:
    """Minimise ½xᵀHx + gᵀx subject to Ax = b and Gx + s = h, s ≥ 0, for each instance.

    Newton's method on the perturbed conditions of Karush, Kuhn and Tucker,

    Hx + g + Aᵀy + Gᵀz = 0,  Ax = b,  Gx + s = h,  s ∘ z = σμ 1,

    twice per iteration with one factorisation: a predictor with σ = 0, then a corrector with σ = (μ_aff / μ)³ and the
    product Δs ∘ Δz of the predictor. x and y are held near their last values with a small weight (a proximal term),
    so that neither H nor A needs full rank; the solution is not changed by it.

    References: Mehrotra, SIAM J. Optim. 2 (1992); Altman and Gondzio, Optim. Methods Softw. 11 (1999).
    """
    eps = torch.finfo(form.H.dtype).eps
    delta = eps**0.65 if regularisation is None else regularisation
    at = _central_start(form, delta) if start is None else _pushed_inside(form, start, tol)
    count = form.active.sum(-1, keepdim=True).clamp(min=1)
    done = torch.zeros(len(form.H), dtype=torch.bool, device=form.H.device)
    iterations = torch.zeros_like(done, dtype=torch.long)
    best, best_error, since = at, torch.full_like(form.g[:, 0], torch.inf), torch.zeros_like(iterations)
    for _ in range(maxiter + 1):
        r_dual, r_equal, r_slack = residuals(form, at)
        mu = (at.s * at.z).sum(-1, keepdim=True) / count
        error = relative_error(form, at, (r_dual, r_equal, r_slack))
        better = ~done & (error < best_error)
        since = torch.where(error < 0.9 * best_error, 0, since + 1)
        best = PrimalDual(*(torch.where(better[:, None], a, b) for a, b in zip(_fields(at), _fields(best))))
        best_error = torch.where(better, error, best_error)
        done = done | (error <= tol) | ~error.isfinite() | (since > 12) | (error > 1e6 * best_error)
        if bool(done.all()) or int(iterations.max()) >= maxiter:
            break
        iterations = iterations + ~done
        solve = _factorised(form, at, delta)
        centre = at.s * at.z
        affine = solve(r_dual, r_equal, r_slack, centre)
        alpha = _longest(form, at, affine)
        aimed = ((at.s + alpha * affine.s) * (at.z + alpha * affine.z)).sum(-1, keepdim=True) / count
        sigma = (aimed / mu.clamp(min=torch.finfo(mu.dtype).tiny)).clamp(0, 1) ** 3
        target = (sigma * mu).clamp(min=0.01 * tol * tol) * form.active
        step = solve(r_dual, r_equal, r_slack, centre + affine.s * affine.z - target)
        alpha = (_longest(form, at, step) * 0.995).clamp(max=1.0)
        alpha = torch.where(_longest(form, at, step) >= 1, 0.995 + 0.005 * (count == 1).to(alpha), alpha)
        alpha = torch.where(form.active.any(-1, keepdim=True), alpha, torch.ones_like(alpha))
        at = at.moved(step, alpha * (~done)[:, None])
    return Outcome(best, best_error <= tol, iterations)


def residuals(form: StandardForm, at: PrimalDual) -> tuple[Tensor, Tensor, Tensor]:
    """Hx + g + Aᵀy + Gᵀz,  Ax − b,  Gx + s − h (zero for rows that an instance does not have)."""
    r_dual = apply(form.H, at.x) + form.g + apply(form.A.mT, at.y) + apply(form.G.mT, at.z)
    r_slack = (apply(form.G, at.x) + at.s - form.h) * form.active
    return r_dual, apply(form.A, at.x) - form.b, r_slack


def relative_error(form: StandardForm, at: PrimalDual, parts: tuple[Tensor, Tensor, Tensor] | None = None) -> Tensor:
    """The largest of the residuals and of the complementarity s ∘ z, each against the numbers it is made of. (B,)."""
    r_dual, r_equal, r_slack = parts or residuals(form, at)
    forces = torch.stack(
        [
            largest(apply(form.H, at.x)),
            largest(form.g),
            largest(apply(form.A.mT, at.y)),
            largest(apply(form.G.mT, at.z)),
        ]
    ).amax(0)
    height = torch.maximum(largest(form.b), largest(form.h * form.active))
    cost = (0.5 * at.x * apply(form.H, at.x) + form.g * at.x).sum(-1).abs()
    return torch.stack(
        [
            largest(r_dual) / (1 + forces),
            largest(r_equal) / (1 + height),
            largest(r_slack) / (1 + height),
            (at.s * at.z).sum(-1) / (1 + cost),
        ]
    ).amax(0)


def _fields(at: PrimalDual) -> tuple[Tensor, ...]:
    return at.x, at.y, at.z, at.s


def _factorised(form: StandardForm, at: PrimalDual, delta: float):
    """Solver of the Newton system at one iterate, for several right-hand sides.

    With W = diag(z / s) it is reduced to [H + GᵀWG + δI, Aᵀ; A, −δI].
    """
    n, p = form.g.shape[-1], form.b.shape[-1]
    s = torch.where(form.active, at.s, 1.0)
    W = torch.where(form.active, at.z / s, 0.0)
    top = form.H + form.G.mT @ (W[..., None] * form.G)
    K = top.new_zeros(len(top), n + p, n + p)
    K[:, :n, :n], K[:, n:, :n], K[:, :n, n:] = top, form.A, form.A.mT
    shift = torch.cat([top.new_full((n,), delta), top.new_full((p,), -delta)])
    factors = torch.linalg.lu_factor_ex(K + torch.diag(shift))

    def linear(right: Tensor) -> Tensor:
        solution = torch.linalg.lu_solve(*factors[:2], right[..., None])[..., 0]
        left = right - apply(K, solution) - shift * solution
        return solution + torch.linalg.lu_solve(*factors[:2], left[..., None])[..., 0]

    def solve(r_dual: Tensor, r_equal: Tensor, r_slack: Tensor, r_product: Tensor) -> PrimalDual:
        tail = torch.where(form.active, (at.z * r_slack - r_product) / s, 0.0)
        both = linear(torch.cat([-r_dual - apply(form.G.mT, tail), -r_equal], -1))
        dx, dy = both[:, :n], both[:, n:]
        moved = apply(form.G, dx)
        ds = torch.where(form.active, -r_slack - moved, 0.0)
        return PrimalDual(dx, dy, tail + W * moved, ds)

    return solve


def _longest(form: StandardForm, at: PrimalDual, step: PrimalDual) -> Tensor:
    """The largest α ≤ 1 that keeps s and z from becoming negative. (B, 1)."""
    ratios = []
    for value, change in ((at.s, step.s), (at.z, step.z)):
        falls = form.active & (change < 0)
        ratios.append(torch.where(falls, -value / torch.where(falls, change, -1.0), 1.0))
    joined = torch.cat([*ratios, torch.ones_like(at.x[:, :1])], -1)
    return joined.amin(-1, keepdim=True).clamp(max=1.0)


def _central_start(form: StandardForm, delta: float) -> PrimalDual:
    """Mehrotra's start: the least-squares point with s = h − Gx, moved inside by what is missing."""
    ones = form.active.to(form.h)
    at = PrimalDual(torch.zeros_like(form.g), torch.zeros_like(form.b), ones, ones.clone())
    r_dual, r_equal, _ = residuals(form, PrimalDual(at.x, at.y, 0 * ones, at.s))
    step = _factorised(form, at, delta)(r_dual, r_equal, -form.h * form.active, 0 * ones)
    x, y = step.x, step.y
    s = torch.where(form.active, form.h - apply(form.G, x), 0.0)
    z = -s
    s, z = _lifted(form, s), _lifted(form, z)
    product = (s * z).sum(-1, keepdim=True)
    s = s + 0.5 * product / z.sum(-1, keepdim=True).clamp(min=1e-30)
    z = z + 0.5 * product / s.sum(-1, keepdim=True).clamp(min=1e-30)
    return PrimalDual(
        x, y, torch.where(form.active, z.clamp(min=1e-3), 0.0), torch.where(form.active, s.clamp(min=1e-3), 0.0)
    )


def _lifted(form: StandardForm, v: Tensor) -> Tensor:
    missing = (
        (-1.5 * torch.where(form.active, v, torch.inf).amin(-1, keepdim=True)).clamp(min=0)
        if v.shape[-1]
        else v.sum(-1, keepdim=True)
    )
    return v + missing


def _pushed_inside(form: StandardForm, start: PrimalDual, tol: float) -> PrimalDual:
    """A start from a neighbouring problem: its point and multipliers, with s and z lifted off zero by what is off."""
    s = form.h - apply(form.G, start.x)
    trial = PrimalDual(start.x, start.y, start.z, s.clamp(min=0))
    r_dual, r_equal, r_slack = residuals(form, trial)
    off = torch.stack([largest(r_dual), largest(r_equal), largest(r_slack)]).amax(0)[:, None].clamp(1e-6, 1.0)
    lift = lambda v: torch.where(form.active, v.clamp(min=0) + off, 0.0)  # noqa: E731
    return PrimalDual(start.x, start.y, lift(start.z), lift(s))
