"""Polish: from an interior solution to the solution of its active set, exact up to rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.solvers.constrained.qp.interior_point import PrimalDual, relative_error
from gradwright.solvers.constrained.qp.standard_form import StandardForm, apply


def polish(form: StandardForm, at: PrimalDual, refinements: int = 4) -> PrimalDual:
    """Solve the equalities that the active inequalities make; kept per instance where the residuals become smaller.

    A row counts as active where its multiplier is larger than its slack. The system

    Hx + Aᵀy + Gᵀz = −g,  Ax = b,  (Gx)ᵢ = hᵢ for active i,  zᵢ = 0 for the others

    is shifted by δ so that it can be factorised, and refined against the unshifted one. Where H is as small as that δ,
    as where x is large, refinement comes hardly further, so that a second try has a δ in units of H.
    """
    delta = torch.finfo(form.g.dtype).eps ** 0.6
    curvature = form.H.abs().amax((-2, -1))[:, None]
    at = _on_active_set(form, at, torch.full_like(curvature, delta), refinements)
    if bool(((curvature > 0) & (curvature < 1)).any()):
        at = _on_active_set(form, at, delta * torch.where(curvature > 0, curvature.clamp(max=1.0), 1.0), refinements)
    return at


def _on_active_set(form: StandardForm, at: PrimalDual, delta: Tensor, refinements: int) -> PrimalDual:
    """One solve with a δ (B, 1) for each instance, kept where it is no worse."""
    n, p, m = form.g.shape[-1], form.b.shape[-1], form.h.shape[-1]
    tight = form.active & (at.z > at.s)
    on = tight.to(form.g)
    K = form.H.new_zeros(len(form.H), n + p + m, n + p + m)
    K[:, :n, :n] = form.H
    K[:, :n, n : n + p], K[:, n : n + p, :n] = form.A.mT, form.A
    G = on[..., None] * form.G
    K[:, :n, n + p :], K[:, n + p :, :n] = G.mT, G
    K[:, n + p :, n + p :] = torch.diag_embed(on - 1)
    shift = torch.cat([delta.expand(-1, n), -delta.expand(-1, p + m)], -1)
    factors = torch.linalg.lu_factor_ex(K + torch.diag_embed(shift))[:2]
    right = torch.cat([-form.g, form.b, on * form.h], -1)
    solution = torch.cat([at.x, at.y, on * at.z], -1)
    for _ in range(refinements):
        left = right - apply(K, solution)
        solution = solution + torch.linalg.lu_solve(*factors, left[..., None])[..., 0]
    x, y, z = solution[:, :n], solution[:, n : n + p], solution[:, n + p :] * on
    s = torch.where(form.active, form.h - apply(form.G, x), 0.0)
    s = torch.where(tight, 0.0, s)
    exact = PrimalDual(x, y, z.clamp(min=0), s.clamp(min=0))
    better = relative_error(form, exact) <= relative_error(form, at)
    pairs = zip((exact.x, exact.y, exact.z, exact.s), (at.x, at.y, at.z, at.s))
    return PrimalDual(*(torch.where(better[:, None], new, old) for new, old in pairs))
