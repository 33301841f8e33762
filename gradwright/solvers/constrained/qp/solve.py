"""solve_qp: dense convex quadratic programs, one or a batch of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.constrained.qp.arguments import TOLERANCE, checked
from gradwright.solvers.constrained.qp.certificates import falling_ray, is_infeasible, is_unbounded, least_violation
from gradwright.solvers.constrained.qp.interior_point import PrimalDual, interior_point, relative_error
from gradwright.solvers.constrained.qp.polish import polish
from gradwright.solvers.constrained.qp.standard_form import StandardForm, apply, standard_form


class QPStatus(Enum):
    """What became of a quadratic program; the value is a sentence."""

    SOLVED = "The conditions of Karush, Kuhn and Tucker hold to the tolerance."
    INFEASIBLE = "No point satisfies the constraints; y, z and z_bounds prove it (Farkas), x violates them little."
    UNBOUNDED = "The cost falls without end along ray."
    NOT_CONVEX = "H has a negative eigenvalue, so a minimum may not exist or not be unique: convexify it first."
    NON_FINITE = "A number of the problem is NaN, or infinite where it may not be."
    INACCURATE = "The iteration stopped above the tolerance: rescale the problem, compute in float64, or raise maxiter."


@dataclass(frozen=True)
class QPSolution:
    """The solution of one quadratic program, or of a batch (then every field has the batch dimensions in front).

    Attributes:
        x: (n,).
        y: (p,) multipliers of Ax = b.
        z: (k,) multipliers of l ≤ Cx ≤ u, positive at an upper side and negative at a lower side.
        z_bounds: (n,) the same for the bounds on x. At a solution Hx + g + Aᵀy + Cᵀz + z_bounds = 0.
        fun: ½xᵀHx + gᵀx.
        codes: positions in ``list(QPStatus)``.
        residual: the largest residual of the conditions, each relative to the numbers it is made of.
        iterations: of the interior-point method.
        ray: (n,) where the cost falls without end, the direction; zero elsewhere.
    """

    x: Tensor
    y: Tensor
    z: Tensor
    z_bounds: Tensor
    fun: Tensor
    codes: Tensor
    residual: Tensor
    iterations: Tensor
    ray: Tensor

    @property
    def status(self) -> Any:
        """The :class:`QPStatus`; a list of them for a batch, in the order of ``codes.flatten()``."""
        kinds = list(QPStatus)
        return (
            kinds[int(self.codes)] if self.codes.dim() == 0 else [kinds[code] for code in self.codes.flatten().tolist()]
        )

    @property
    def solved(self) -> Tensor:
        """Which instances are solved."""
        return self.codes == 0


def solve_qp(
    H: Tensor,
    g: Tensor,
    A: Tensor | None = None,
    b: Tensor | None = None,
    C: Tensor | None = None,
    l: Tensor | None = None,  # noqa: E741
    u: Tensor | None = None,
    bounds: tuple[Any, Any] | None = None,
    *,
    tol: float | None = None,
    maxiter: int = 100,
    start: QPSolution | None = None,
    certificates: bool = True,
) -> QPSolution:
    """Minimise ½xᵀHx + gᵀx subject to Ax = b, l ≤ Cx ≤ u and bounds on x, with H positive semidefinite.

    A primal-dual interior-point method with Mehrotra's corrector on the equilibrated problem, then one solve on the
    active set, which makes the solution exact up to rounding where that set was found. Instances of a batch stop one by
    one. A, H and C need not have full rank. Problems without solution end with a certificate.

    Args:
        H: (..., n, n), symmetric.
        g: (..., n).
        A, b: (..., p, n) and (..., p), given together.
        C, l, u: (..., k, n) and (..., k); a side that is left out is open, as are entries ±inf. l = u is an equality.
        bounds: (lower, upper) on x, each None, a number or (..., n).
        tol: of the relative residuals; 1e-9 in float64, 2e-5 in float32.
        maxiter: iterations at most.
        start: the solution of a problem with the same shapes nearby, to start from.
        certificates: find out why a problem was not solved, by two linear programs; otherwise it stays INACCURATE.

    Raises:
        TypeError: H is not float32 or float64.
        ValueError: shapes that do not fit, b without A, l or u without C, a lower side above its upper side.

    >>> H, g = torch.eye(2), torch.tensor([-2.0, -2.0])
    >>> solution = solve_qp(H, g, A=torch.ones(1, 2), b=torch.ones(1), bounds=(None, 0.25))
    >>> solve_qp(H, g, A=torch.ones(1, 2), b=torch.ones(1)).x
    tensor([0.5000, 0.5000])
    >>> solution.status.name
    'INFEASIBLE'

    References: Mehrotra, SIAM J. Optim. 2 (1992); Stellato et al., Math. Program. Comput. 12 (2020) for the polishing.
    """
    batch, parts = checked(H, g, A, b, C, l, u, bounds)
    H, g, rows, lower, upper = parts
    tol = TOLERANCE[H.dtype] if tol is None else tol
    p, k = 0 if b is None else b.shape[-1], rows.shape[-2]
    finite = H.isfinite().all(-1).all(-1) & g.isfinite().all(-1) & rows.isfinite().all(-1).all(-1)
    finite &= ~(lower.isnan() | upper.isnan()).any(-1) & (lower < torch.inf).all(-1) & (upper > -torch.inf).all(-1)
    H, g, rows = (torch.where(finite.view(-1, *[1] * (each.dim() - 1)), each, 0.0) for each in (H, g, rows))
    lower, upper = (torch.where(finite[:, None], each, 0.0) for each in (lower, upper))
    form = standard_form(H, g, rows, lower, upper)
    roots = torch.linalg.eigvalsh(form.H)
    convex = roots[:, 0] >= -100 * torch.finfo(H.dtype).eps * roots.abs().amax(-1) * len(roots[0])
    run = finite & convex
    guess = None if start is None else _scaled(form, start, p, k)
    codes = torch.where(finite, torch.where(convex, 5, 3), 4)
    at = PrimalDual(torch.zeros_like(g), torch.zeros_like(form.b), torch.zeros_like(form.h), torch.zeros_like(form.h))
    iterations, residual, ray = torch.zeros_like(codes), torch.full_like(g[:, 0], torch.inf), torch.zeros_like(g)
    which = run.nonzero()[:, 0]
    if len(which):
        some = form.pick(which)
        first = None if guess is None else PrimalDual(guess.x[which], guess.y[which], guess.z[which], guess.s[which])
        found = interior_point(some, tol, maxiter, first)
        if first is not None and not bool(found.converged.all()):
            cold = interior_point(some, tol, maxiter)
            found = replace(
                cold, at=_either(found.converged, found.at, cold.at), converged=found.converged | cold.converged
            )
        end = polish(some, found.at)
        error = relative_error(some, end)
        ends, rays = torch.where(error <= tol, 0, 5), torch.zeros_like(end.x)
        if certificates:
            ends, rays = _verdicts(some, end, error <= tol, tol, maxiter)
        codes = codes.index_copy(0, which, ends)
        at = PrimalDual(*(whole.index_copy(0, which, part) for whole, part in zip(_four(at), _four(end))))
        ray = ray.index_copy(0, which, rays)
        residual, iterations = residual.index_copy(0, which, error), iterations.index_copy(0, which, found.iterations)
    return _unscaled(form, at, H, g, codes, residual, iterations, ray, p, k, batch)


def _verdicts(form: StandardForm, at: PrimalDual, good: Tensor, tol: float, maxiter: int) -> tuple[Tensor, Tensor]:
    """Status codes of convex instances; those without solution get their certificate written into ``at``."""
    codes, ray = torch.where(good, 0, 5), torch.zeros_like(at.x)
    left = (~good).nonzero()[:, 0]
    if not len(left):
        return codes, ray
    some, proof = form.pick(left), 1e2 * tol
    short, x, y, z = least_violation(some, tol, maxiter)
    infeasible = is_infeasible(some, y, z, proof)
    _, d = falling_ray(some, tol, maxiter)
    unbounded = (
        ~infeasible
        & (short <= proof * (1 + some.h.abs().amax(-1) if some.h.shape[-1] else 1.0))
        & is_unbounded(some, d, proof)
    )
    codes[left] = torch.where(infeasible, 1, torch.where(unbounded, 2, 5))
    ray[left] = torch.where(unbounded[:, None], d, 0.0)
    for field, value in (("x", x), ("y", y), ("z", z)):
        whole = getattr(at, field).clone()
        whole[left] = torch.where(infeasible[:, None], value, whole[left])
        setattr(at, field, whole)
    at.x[left] = torch.where(unbounded[:, None], x, at.x[left])
    return codes, ray


def _either(first: Tensor, a: PrimalDual, b: PrimalDual) -> PrimalDual:
    return PrimalDual(*(torch.where(first[:, None], one, other) for one, other in zip(_four(a), _four(b))))


def _four(at: PrimalDual) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return at.x, at.y, at.z, at.s


def _scaled(form: StandardForm, start: QPSolution, p: int, k: int) -> PrimalDual:
    """A solution in user's units as an iterate of the scaled standard form."""
    n = form.g.shape[-1]
    parts = (start.x, start.y, start.z, start.z_bounds)
    if [part.shape[-1] for part in parts] != [n, p, k - p - n, n] or start.codes.numel() != len(form.g):
        raise ValueError("start has other shapes than this problem; give the solution of a problem of the same shapes")
    x, *multipliers = (part.reshape(len(form.g), part.shape[-1]).to(form.g) for part in parts)
    stacked = torch.cat(multipliers, -1)
    z = torch.cat([stacked[:, form.rows.upper].clamp(min=0), (-stacked[:, form.rows.lower]).clamp(min=0)], -1)
    y = form.cost * stacked[:, form.rows.equal] / form.equal_scale
    return PrimalDual(x / form.columns, y, form.cost * z / form.row_scale * form.active, torch.zeros_like(form.h))


def _unscaled(form, at, H, g, codes, residual, iterations, ray, p, k, batch) -> QPSolution:
    n = g.shape[-1]
    x, y = form.columns * at.x, form.equal_scale * at.y / form.cost
    z = torch.where(form.active, form.row_scale * at.z / form.cost, 0.0)
    stacked = g.new_zeros(len(g), k)
    upper = len(form.rows.upper)
    stacked.index_add_(1, form.rows.equal, y)
    stacked.index_add_(1, form.rows.upper, z[:, :upper])
    stacked.index_add_(1, form.rows.lower, -z[:, upper:])
    fun = (0.5 * x * apply(H, x) + g * x).sum(-1)
    shaped = [x, stacked[:, :p], stacked[:, p : k - n], stacked[:, k - n :]]
    x, y, z, z_bounds = (each.reshape(*batch, each.shape[-1]) for each in shaped)
    fun, codes, residual, iterations = (each.reshape(batch) for each in (fun, codes, residual, iterations))
    return QPSolution(x, y, z, z_bounds, fun, codes, residual, iterations, (form.columns * ray).reshape(*batch, n))
