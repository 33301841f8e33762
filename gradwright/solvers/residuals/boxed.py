"""A linearisation inside a box: its steps are the minimisers over l ≤ x + p ≤ u."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.residuals.linearization import Dense

EPS = torch.finfo(torch.float64).eps

NOTHING = 1e3 * EPS
"""A slope below this part of ‖column‖ ‖r‖ is rounding: its sign releases no variable."""


@dataclass(frozen=True)
class Boxed:
    """J and r as a matrix, and how far each unknown may go.

    With ``damped`` and ``full`` inside the box, whatever is built on a linearisation keeps bounds by itself: a trust
    region chooses λ as without them, for ‖Dp(λ)‖ still falls with λ; and the full step is zero just at points that no
    feasible direction improves, so that what it expects to gain measures how far a point is from a solution.

    Args:
        dense: J and r.
        lower, upper: of p, with zero between them.
    """

    dense: Dense
    lower: Tensor
    upper: Tensor

    @property
    def r(self) -> Tensor:
        return self.dense.r

    @property
    def gradient(self) -> Tensor:
        return self.dense.gradient

    @property
    def columns(self) -> Tensor:
        return self.dense.columns

    def apply(self, p: Tensor) -> Tensor:
        return self.dense.apply(p)

    def fall(self, p: Tensor, damping: float, D: Tensor) -> float:
        """−gᵀp − ½‖Jp‖²: inside a box nothing shorter holds, as p need not be stationary."""
        return -float(torch.dot(self.gradient, p)) - 0.5 * norm(self.apply(p)) ** 2

    def damped(self, damping: float, D: Tensor) -> Tensor:
        return self._minimiser(lambda free, dense: dense.damped(damping, D[free]), damping, D)

    def full(self, D: Tensor) -> Tensor:
        return self._minimiser(lambda free, dense: dense.full(D[free]), 0.0, D)

    def _minimiser(self, solve: Callable[[Tensor, Dense], Tensor], damping: float, D: Tensor) -> Tensor:
        """The minimiser of ‖Jp + r‖² + λ‖Dp‖² over the box, by active sets (Stark and Parker 1995).

        Held unknowns lie on a bound. The others go towards the minimum over them, until one meets a bound and is held,
        too; at the minimum the one whose slope asks most for it is let go. The value falls with every release, so no
        set comes twice. An unknown that is let go and comes right back, by rounding, stays until something has moved.

        Args:
            solve: the free unknowns, as a mask, and the problem over them ↦ its minimiser.
        """
        J, r = self.dense.reduced
        p = torch.zeros_like(self.lower)
        held = self._held(self.gradient)
        refused = torch.zeros_like(held)
        for _ in range(10 * len(p) + 10):
            target = p.clone()
            if not bool(held.any()):
                target = solve(~held, self.dense)
            elif not bool(held.all()):
                target[~held] = solve(~held, Dense(J[:, ~held], r + J[:, held] @ p[held]))
            share = self._share(p, target - p)
            least = float(share.min())
            if least < 1:
                meets = share <= least
                p = self._inside(p + least * (target - p), meets, target - p)
                refused = refused | meets if least == 0 else torch.zeros_like(held)
                held = held | meets
                continue
            refused = refused & bool(torch.equal(target, p))
            p = target
            asks = torch.where(held & ~refused, self._asks(p, J, r, damping, D), 0.0)
            if not bool((asks > 0).any()):
                return p
            held = held.clone()
            held[int(asks.argmax())] = False
        return p

    def _asks(self, p: Tensor, J: Tensor, r: Tensor, damping: float, D: Tensor) -> Tensor:
        """How steeply the value falls from each bound into the box, in units of D; 0 where it does not."""
        rest = J @ p + r
        slope = J.T @ rest + damping * D * D * p
        into = torch.where(p <= self.lower, -slope, slope)
        surely = into > NOTHING * torch.linalg.vector_norm(J, dim=0) * norm(rest)
        return torch.where(surely & (self.lower < self.upper), into / torch.where(D > 0, D, 1.0), 0.0)

    def _held(self, gradient: Tensor) -> Tensor:
        """Unknowns that steepest descent would take out of the box."""
        return ((gradient >= 0) & (self.lower >= 0)) | ((gradient <= 0) & (self.upper <= 0))

    def _share(self, p: Tensor, d: Tensor) -> Tensor:
        """How much of the way d each unknown may go, at most all of it."""
        room = torch.where(d > 0, self.upper - p, self.lower - p)
        share = torch.where(d != 0, room / torch.where(d != 0, d, 1.0), torch.inf)
        return share.clamp(0.0, 1.0)

    def _inside(self, p: Tensor, meets: Tensor, d: Tensor) -> Tensor:
        """p with those that meet a bound exactly on it, and no one beyond one."""
        on = torch.where(d > 0, self.upper, self.lower)
        return torch.where(meets, on, torch.minimum(torch.maximum(p, self.lower), self.upper))
