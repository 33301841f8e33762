"""The conditions of Karush, Kuhn and Tucker at a point, measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.constrained.constraint_set import Constrained
from gradwright.solvers.constrained.qp import solve_qp
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.problem.bounds import Bounds


@dataclass(frozen=True)
class Multipliers:
    """λ of the constraints and ν of the bounds; positive where an upper side pushes, negative at a lower side.

    At a solution ∇f + Jᵀλ + ν = 0.
    """

    rows: Tensor
    bounds: Tensor


@dataclass(frozen=True)
class Measure:
    """How far a point is from a solution.

    Attributes:
        violation: the largest violation of a constraint, in its own units.
        stationarity: ‖∇f + Jᵀλ + ν‖∞, together with what multipliers do at sides that are not reached.
        force: the largest force of a constraint or bound that balances the gradient.
        gradient: ‖∇f‖∞.
    """

    violation: float
    stationarity: float
    force: float
    gradient: float


def measure(x: Tensor, gradient: Tensor, c: Constrained, box: Bounds, at: Multipliers) -> Measure:
    """Feasibility, stationarity and complementarity.

    A multiplier λᵢ > 0 needs cᵢ = uᵢ. Where the side is at distance t, what counts is the smaller of λᵢ‖∇cᵢ‖∞ (the
    force that should vanish) and λᵢ t (the change of the value that it could still buy).
    """
    J = c.jacobian
    lagrangian = gradient + J.T @ at.rows + at.bounds
    slopes = J.abs().amax(-1) if len(J) else J.new_zeros(0)
    idle = torch.cat(
        [
            _idle(at.rows, c.value - c.owner.lower, c.owner.upper - c.value, slopes),
            _idle(at.bounds, x - box.lower, box.upper - x, torch.ones_like(x)),
        ]
    )
    force = max(largest_entry(at.rows * slopes), largest_entry(at.bounds))
    return Measure(
        largest_entry(c.violations), max(largest_entry(lagrangian), largest_entry(idle)), force, largest_entry(gradient)
    )


def _idle(multiplier: Tensor, below: Tensor, above: Tensor, slope: Tensor) -> Tensor:
    distance = torch.where(multiplier > 0, above, below).clamp(min=0)
    return torch.minimum(multiplier.abs() * slope, multiplier.abs() * distance).nan_to_num(0.0)


def estimate(x: Tensor, gradient: Tensor, c: Constrained, box: Bounds) -> Multipliers:
    """Multipliers of least squares: the step of the problem linearised at x with the identity as Hessian.

    minimise ½‖d‖² + gᵀd subject to the linearised constraints; zero multipliers where that has no solution.
    """
    lower, upper = c.owner.lower, c.owner.upper
    unit = max(largest_entry(gradient), torch.finfo(x.dtype).tiny)  # so that units of f change nothing
    found = solve_qp(
        unit * torch.eye(x.numel()).to(x),
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
