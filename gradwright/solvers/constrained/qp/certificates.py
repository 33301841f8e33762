"""Why a quadratic program has no solution: a Farkas certificate, or a ray along which the cost falls for ever."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gradwright.solvers.constrained.qp.interior_point import interior_point
from gradwright.solvers.constrained.qp.standard_form import Rows, StandardForm, apply, largest


def least_violation(form: StandardForm, tol: float, maxiter: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """How much the constraints must give way, with the multipliers that prove it.

    minimise Σt subject to −t_e ≤ Ax − b ≤ t_e, Gx ≤ h + t, t ≥ 0. It always has a solution, and its multipliers satisfy
    Aᵀy + Gᵀz = 0 with z ≥ 0. Where bᵀy + hᵀz < 0 no x can satisfy Ax = b and Gx ≤ h (Farkas).

    Returns:
        the violation Σt (B,), x (B, n), y (B, p), z (B, m).
    """
    B, n = form.g.shape
    p, m = form.b.shape[-1], form.h.shape[-1]
    like = form.g
    eye = partial(torch.eye, dtype=like.dtype, device=like.device)
    eye_p, eye_m = eye(p).expand(B, p, p), eye(m) * form.active[..., None]
    zero = lambda rows, columns: like.new_zeros(B, rows, columns)  # noqa: E731
    A = torch.cat([form.A, eye_p, -eye_p, zero(p, m)], -1)
    G = torch.cat([form.G, zero(m, 2 * p), -eye_m], -1)
    positive = torch.cat([zero(2 * p + m, n), -eye(2 * p + m).expand(B, -1, -1)], -1)
    ones = torch.ones(B, 2 * p + m, dtype=torch.bool, device=like.device)
    g = torch.cat([torch.zeros_like(like), like.new_ones(B, 2 * p + m)], -1)
    h = torch.cat([form.h, like.new_zeros(B, 2 * p + m)], -1)
    found = interior_point(
        _plain(g, A, form.b, torch.cat([G, positive], -2), h, torch.cat([form.active, ones], -1)), tol, maxiter
    )
    x = found.at.x[:, :n]
    short = largest(apply(form.A, x) - form.b) + largest(((apply(form.G, x) - form.h) * form.active).clamp(min=0))
    return short, x, found.at.y, found.at.z[:, :m]


def falling_ray(form: StandardForm, tol: float, maxiter: int) -> tuple[Tensor, Tensor]:
    """The steepest direction of the cone along which nothing but the linear cost changes.

    minimise gᵀd subject to Hd = 0, Ad = 0, Gd ≤ 0, −1 ≤ d ≤ 1. A feasible problem with gᵀd < 0 is unbounded below.

    Returns:
        gᵀd (B,) and d (B, n).
    """
    B, n = form.g.shape
    eye = torch.eye(n, dtype=form.g.dtype, device=form.g.device).expand(B, n, n)
    A = torch.cat([form.H, form.A], -2)
    G = torch.cat([form.G, eye, -eye], -2)
    h = torch.cat([torch.where(form.active, 0.0, form.h), form.g.new_ones(B, 2 * n)], -1)
    active = torch.cat([form.active, torch.ones(B, 2 * n, dtype=torch.bool, device=h.device)], -1)
    found = interior_point(_plain(form.g, A, form.g.new_zeros(B, A.shape[1]), G, h, active), tol, maxiter)
    return (form.g * found.at.x).sum(-1), found.at.x


def is_infeasible(form: StandardForm, y: Tensor, z: Tensor, tol: float) -> Tensor:
    """Whether (y, z) proves that no point satisfies the constraints: Aᵀy + Gᵀz ≈ 0, z ≥ 0, bᵀy + hᵀz < 0. (B,)."""
    z = torch.where(form.active, z.clamp(min=0), 0.0)
    size = torch.maximum(largest(y), largest(z)).clamp(min=torch.finfo(z.dtype).tiny)
    force = largest(apply(form.A.mT, y) + apply(form.G.mT, z)) / size
    gain = -((form.b * y).sum(-1) + (form.h * z).sum(-1)) / size
    return (gain > tol) & (force <= tol * gain.clamp(max=1.0))


def is_unbounded(form: StandardForm, d: Tensor, tol: float) -> Tensor:
    """Whether d is a ray of the feasible set along which the cost falls for ever. (B,)."""
    size = largest(d).clamp(min=torch.finfo(d.dtype).tiny)
    fall = -(form.g * d).sum(-1) / size
    still = torch.stack(
        [largest(apply(form.H, d)), largest(apply(form.A, d)), largest((apply(form.G, d) * form.active).clamp(min=0))]
    ).amax(0)
    return (fall > tol) & (still / size <= tol * fall.clamp(max=1.0))


def _plain(g: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor, active: Tensor) -> StandardForm:
    """A linear program in standard form, unscaled: its parts come from a scaled one."""
    H = g.new_zeros(*g.shape, g.shape[-1])
    none = torch.zeros(0, dtype=torch.long, device=g.device)
    return StandardForm(
        H,
        g,
        A,
        b,
        G,
        h,
        active,
        Rows(none, none, none),
        torch.ones_like(g),
        torch.ones_like(b),
        torch.ones_like(h),
        g.new_ones(len(g), 1),
    )
