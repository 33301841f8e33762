"""The conditions of Karush, Kuhn and Tucker at a point, measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.constrained.constraint_set import Constrained
from gradwright.solvers.constrained.qp import solve_qp
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.problem.bounds import MET, Bounds

ROUNDING = 10.0
"""Values of constraints are known to this many units of rounding."""


@dataclass(frozen=True)
class Multipliers:
    """λ of the constraints and ν of the bounds; positive where an upper side pushes, negative at a lower side.

    At a solution ∇f + Jᵀλ + ν = 0.
    """

    rows: Tensor
    bounds: Tensor


@dataclass(frozen=True)
class Near:
    """When a side counts as met.

    Args:
        ctol: the distance from the side of a constraint, where x is not smaller than one.
        eps: of the precision of x and of the constraints.
    """

    ctol: float
    eps: float

    def side(self, c: Constrained, x: Tensor) -> Tensor:
        """How far a row may be from a side that it has met."""
        return self.ctol * min(1.0, largest_entry(x)) / c.owner.units.clamp(min=1.0) + self._rounding(c)

    def violation(self, c: Constrained) -> float:
        """See :class:`Measure`."""
        return largest_entry((c.violations - self._rounding(c)).clamp(min=0) * c.owner.units.clamp(min=1.0))

    def _rounding(self, c: Constrained) -> Tensor:
        return ROUNDING * self.eps * c.value.abs()

    def bound(self, x: Tensor) -> Tensor:
        """For bounds, which every method meets exactly."""
        return MET * self.eps * x.abs()


@dataclass(frozen=True)
class Measure:
    """How far a point is from a solution.

    Attributes:
        violation: the largest violation of a constraint beyond its rounding, in its own units or in those of its row,
            whichever makes it larger: rows of small slopes are looked at as if their slopes were one.
        stationarity: ‖∇f + Jᵀλ + ν‖∞, together with what multipliers do at sides that are not reached.
        force: the largest force of a constraint or bound that balances the gradient.
        gradient: ‖∇f‖∞.
        ratio: the largest part of an entry of ∇f, or of what balances it, that is not balanced: each unknown is
            compared with itself, whatever its units.
    """

    violation: float
    stationarity: float
    force: float
    gradient: float
    ratio: float


def measure(x: Tensor, gradient: Tensor, c: Constrained, box: Bounds, at: Multipliers, near: Near) -> Measure:
    """Feasibility, stationarity and complementarity.

    A multiplier λᵢ > 0 needs cᵢ = uᵢ. Where that side is not met, its force λᵢ‖∇cᵢ‖∞ counts as what is left of the
    gradient: forces are compared with forces, and distances with distances.
    """
    J = c.jacobian
    lagrangian = (gradient + J.T @ at.rows + at.bounds).abs()
    slopes = J.abs().amax(-1) if len(J) else J.new_zeros(0)
    rows = _idle(at.rows, c.value - c.owner.lower, c.owner.upper - c.value, slopes, near.side(c, x))
    lagrangian = torch.maximum(
        lagrangian, _idle(at.bounds, x - box.lower, box.upper - x, torch.ones_like(x), near.bound(x))
    )
    balanced = torch.minimum(gradient.abs(), J.abs().T @ at.rows.abs() + at.bounds.abs())
    force = max(largest_entry(at.rows * slopes), largest_entry(at.bounds))
    ratios = torch.cat([torch.where(lagrangian > 0, lagrangian / balanced, 0.0), rows / force if force else rows])
    return Measure(
        near.violation(c),
        max(largest_entry(lagrangian), largest_entry(rows)),
        force,
        largest_entry(gradient),
        largest_entry(ratios),
    )


def _idle(multiplier: Tensor, below: Tensor, above: Tensor, slope: Tensor, met: Tensor) -> Tensor:
    """The forces at sides that are further away than ``met``."""
    distance = torch.where(multiplier > 0, above, below)
    return torch.where(distance > met, multiplier.abs() * slope, 0.0)


def estimate(x: Tensor, gradient: Tensor, c: Constrained, box: Bounds) -> Multipliers:
    """Multipliers of least squares: the step of the problem linearised at x with the identity as Hessian.

    minimise ½‖d‖² + gᵀd subject to the linearised constraints; zero multipliers where that has no solution.
    """
    lower, upper = c.owner.lower, c.owner.upper
    unit = max(largest_entry(gradient), torch.finfo(x.dtype).tiny)  # so that units of f change nothing
    found = solve_qp(
        unit * torch.eye(x.numel(), dtype=x.dtype, device=x.device),
        gradient,
        C=c.jacobian,
        l=lower - c.value,
        u=upper - c.value,
        bounds=(box.lower - x, box.upper - x),
        certificates=False,
    )
    if not bool(found.solved):
        return Multipliers(torch.zeros_like(c.value), torch.zeros_like(x))
    return Multipliers(found.z, found.z_bounds)
