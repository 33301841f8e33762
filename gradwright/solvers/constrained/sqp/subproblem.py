"""The quadratic program of one SQP step, and its elastic form, where violations are allowed at a price."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.constrained.kkt import Multipliers
from gradwright.solvers.constrained.qp import QPStatus, solve_qp
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.problem.bounds import Bounds

USABLE = 1e-6
"""Relative residual of a quadratic program up to which its step is still worth trying."""

HELD = 1e-8
"""A step ends on a bound that pushes where it is this close to it, relative to its length."""


@dataclass(frozen=True)
class Model:
    """minimise ½dᵀBd + gᵀd subject to lower ≤ Jd ≤ upper and bounds on d."""

    B: Tensor
    g: Tensor
    J: Tensor
    lower: Tensor
    upper: Tensor
    box: Bounds

    def shifted(self, c: Tensor) -> Model:
        """With c added to Jd: for a correction of second order."""
        return Model(self.B, self.g, self.J, self.lower - c, self.upper - c, self.box)

    def within(self, reach: float) -> Model:
        """With no entry of d larger than ``reach``."""
        box = Bounds(self.box.lower.clamp(min=-reach), self.box.upper.clamp(max=reach))
        return Model(self.B, self.g, self.J, self.lower, self.upper, box)

    def in_units(self, units: Tensor) -> Model:
        """With each row multiplied by its unit."""
        return Model(self.B, self.g, units[:, None] * self.J, units * self.lower, units * self.upper, self.box)

    def left(self, d: Tensor) -> Tensor:
        """What d leaves of the violation of each linearised constraint."""
        value = self.J @ d
        return (self.lower - value).clamp(min=0) + (value - self.upper).clamp(min=0)


@dataclass(frozen=True)
class Step:
    """A step d with the multipliers of its program; ``elastic`` is the weight of violations, 0 for the plain one."""

    d: Tensor
    multipliers: Multipliers
    elastic: float = 0.0


def plain(model: Model) -> Step | None:
    """The step, or None where the program has no (accurate) solution."""
    found = solve_qp(
        model.B,
        model.g,
        C=model.J,
        l=model.lower,
        u=model.upper,
        bounds=(model.box.lower, model.box.upper),
        certificates=False,
    )
    good = bool(found.solved) or (found.status is QPStatus.INACCURATE and float(found.residual) <= USABLE)
    if not good or not bool(found.x.isfinite().all()):
        return None
    return Step(_held(model.box, found.x, found.z_bounds), Multipliers(found.z, found.z_bounds))


def _held(box: Bounds, d: Tensor, multipliers: Tensor) -> Tensor:
    """d inside its bounds, and exactly on those that push, which a program meets up to its tolerance."""
    close = HELD * largest_entry(d)
    d = torch.where((multipliers > 0) & (box.upper - d <= close), box.upper, d)
    return box.project(torch.where((multipliers < 0) & (d - box.lower <= close), box.lower, d))


def elastic(model: Model, weight: float) -> Step | None:
    """The step of minimise ½dᵀBd + gᵀd + weight · Σ(p + q) subject to lower ≤ Jd + p − q ≤ upper, p, q ≥ 0."""
    k, n = model.J.shape
    B = model.B.new_zeros(n + 2 * k, n + 2 * k)
    B[:n, :n] = model.B
    eye = torch.eye(k, dtype=B.dtype, device=B.device)
    g = torch.cat([model.g, B.new_full((2 * k,), weight)])
    J = torch.cat([model.J, eye, -eye], 1)
    low = torch.cat([model.box.lower, B.new_zeros(2 * k)])
    high = torch.cat([model.box.upper, B.new_full((2 * k,), torch.inf)])
    found = solve_qp(B, g, C=J, l=model.lower, u=model.upper, bounds=(low, high), certificates=False)
    good = bool(found.solved) or (found.status is QPStatus.INACCURATE and float(found.residual) <= USABLE)
    if not good or not bool(found.x.isfinite().all()):
        return None
    x, ν = found.x[:n], found.z_bounds[:n]
    return Step(_held(model.box, x, ν), Multipliers(found.z, ν), weight)
