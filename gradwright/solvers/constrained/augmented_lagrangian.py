"""The augmented Lagrangian of Powell, Hestenes and Rockafellar, with bounds left to L-BFGS-B."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gradwright.solvers.bounds import Bounds
from gradwright.solvers.constrained.constraints import Constrained, ConstraintSet
from gradwright.solvers.constrained.kkt import Multipliers, estimate, measure
from gradwright.solvers.constrained.sqp import Constrainable
from gradwright.solvers.constrained.watch import Watch
from gradwright.solvers.lbfgsb import LBFGSB
from gradwright.solvers.objective import Limits, Objective, Point
from gradwright.solvers.sources import Source
from gradwright.solvers.status import Status
from gradwright.solvers.tape import Tape
from gradwright.solvers.vectors import largest_entry


@dataclass(frozen=True)
class AugmentedSource:
    """L(x) = f + ½ρ Σ ‖shifted violation‖², as something that solvers can evaluate.

    With λ for the rows l ≤ c ≤ u: t = λ + ρ(c − u) where that is positive, λ + ρ(c − l) where that is negative, 0
    else, and L = f + (‖t‖² − ‖λ‖²) / 2ρ, whose gradient is ∇f + Jᵀt.
    """

    source: Source
    set: ConstraintSet
    multipliers: Tensor
    rho: float

    @property
    def layout(self):
        return self.source.layout

    def updated(self, c: Constrained) -> Tensor:
        """t(x): the multipliers that the gradient of L would have in the Lagrangian."""
        above = (self.multipliers + self.rho * (c.value - self.set.upper)).clamp(min=0)
        below = (self.multipliers + self.rho * (c.value - self.set.lower)).clamp(max=0)
        return above + below

    def record(self, x: Tensor) -> Tape:
        tape, c = self.source.record(x), self.set.at(x)
        t = self.updated(c)
        value = tape.loss.detach().double() + ((t @ t - self.multipliers @ self.multipliers) / (2 * self.rho)).double()

        def gradient() -> Tensor:
            return tape.gradient() + (c.jacobian.T @ t).to(self.layout.dtype)

        return Tape(value.to(tape.loss.dtype), tape.leaves, None, given=gradient)


@dataclass(frozen=True)
class AugmentedLagrangian(Constrainable):
    """``augmented-lagrangian``: a sequence of bound-constrained problems, each with better multipliers.

    x ← argmin of L_ρ(x; λ) in the box by L-BFGS-B to a tolerance that falls tenfold, then λ ← clip(t(x)); ρ
    grows where the
    violation did not fall enough. It needs first derivatives only and never forms an (n, n) matrix.

    Args:
        growth: factor of ρ.
        keep: part of the violation that may remain before ρ grows.
        largest: multipliers are clipped to this size, and ρ ends the run beyond it, in units of the value at the start.
        outer: multiplier updates at most.
        memory: of L-BFGS-B.

    Reference: Birgin and Martínez, Practical Augmented Lagrangian Methods (SIAM 2014).
    """

    growth: float = 10.0
    keep: float = 0.25
    largest: float = 1e12
    outer: int = 60
    memory: int = 20

    def solve(self, objective: Objective, start: Point, monitor: Watch) -> Status:  # type: ignore[override]
        constraints, box = self.prepared(objective)
        point, c = start, constraints.at(start.flat)
        guess = Multipliers(torch.zeros_like(c.value), torch.zeros_like(point.x))
        if point.usable and c.finite:
            guess = estimate(point.x, point.gradient, c, box)
        status = self._judge(monitor, point, c, box, guess)
        if status is not None:
            return status
        λ = guess.rows.clamp(-1e6, 1e6)
        squares = float(c.violations @ c.violations)
        unit = max(monitor.scale, torch.finfo(objective.dtype).tiny)
        rho = unit * min(max(10 / squares, 1e-2), 1e3) if squares > 0 else 10 * unit
        ceiling = self.largest * unit
        steepness = max(1.0, largest_entry(point.gradient))
        first_slope = largest_entry(c.jacobian)
        tolerance, infeasibility, stuck = 0.1, math.inf, 0
        for _ in range(self.outer):
            source = AugmentedSource(objective.source, constraints, λ, rho)
            inner = Objective(source, None, self._left(objective), objective.box)
            method = LBFGSB(self.memory)
            watch = method.monitor(inner, tolerance * steepness, None)
            first = inner.at(point.x)
            found = watch.run(partial(method.solve, inner, first, watch))
            objective.nfev += inner.nfev
            objective.njev += inner.njev
            point = objective.at(objective.source.layout.flatten(found.x, "x"))
            c = constraints.at(point.flat)
            t = source.updated(c)
            status = self._judge(monitor, point, c, box, self._complete(point, c, box, t))
            if status is None and monitor.current is not None and monitor.current[3].violation <= monitor.ctol:
                status = self._again(monitor, point, c, box)
            if status is not None:
                return status
            if found.status in (Status.MAX_EVALUATIONS, Status.MAX_SECONDS):
                return found.status
            shift = torch.minimum(
                (constraints.upper - c.value).clamp(max=0).abs() + (c.value - constraints.lower).clamp(max=0).abs(),
                c.violations,
            )
            worst = max(largest_entry(shift), largest_entry((t - λ) / rho))
            violation = largest_entry(c.violations)
            stationary = self._violation_is_stationary(point, c, box, first_slope)
            stuck = stuck + 1 if violation > max(0.9 * infeasibility, monitor.ctol) and stationary else 0
            if stuck >= 3:
                return Status.INFEASIBLE
            λ = t.clamp(-ceiling, ceiling)
            if worst > self.keep * infeasibility:
                rho *= self.growth
            infeasibility = worst
            tolerance = max(0.1 * tolerance, 0.1 * monitor.gtol / steepness)
            monitor.extra["penalty"] = rho
            if rho > ceiling:
                return Status.INFEASIBLE if violation > monitor.ctol and stationary else monitor.floor()
        return (
            monitor.floor()
            if monitor.current is None or monitor.current[3].violation > monitor.ctol
            else Status.MAX_ITERATIONS
        )

    def _left(self, objective: Objective) -> Limits:
        limits = objective.limits
        maxfev = None if limits.maxfev is None else max(1, limits.maxfev - objective.nfev)
        seconds = limits.max_seconds
        return Limits(maxfev, min(limits.iterations(objective.size), max(200, 10 * objective.size)), seconds)

    def _complete(self, point: Point, c: Constrained, box: Bounds, t: Tensor) -> Multipliers:
        """With the bounds' multipliers: what is left of the gradient where a bound is met."""
        rest = -(point.gradient + c.jacobian.T @ t)
        at_upper, at_lower = (point.x >= box.upper) & (rest > 0), (point.x <= box.lower) & (rest < 0)
        return Multipliers(t, torch.where(at_upper | at_lower, rest, 0.0))

    def _judge(self, monitor: Watch, point: Point, c: Constrained, box: Bounds, at: Multipliers) -> Status | None:
        if not (point.usable and c.finite):
            return monitor.accept(point, c, at, measure(point.x, torch.zeros_like(point.x), c, box, at))
        return monitor.accept(point, c, at, measure(point.x, point.gradient, c, box, at))

    def _again(self, monitor: Watch, point: Point, c: Constrained, box: Bounds) -> Status | None:
        """Converged with multipliers of least squares?"""
        at = estimate(point.x, point.gradient, c, box)
        m = measure(point.x, point.gradient, c, box, at)
        if not monitor.converged(m):
            return None
        monitor.current = (point, c, at, m)
        return Status.CONVERGED_GRADIENT

    def _violation_is_stationary(self, point: Point, c: Constrained, box: Bounds, slope: float) -> bool:
        """Whether no feasible direction makes ½‖violation‖² smaller, to three digits of the slope at x0."""
        pull = c.jacobian.T @ (c.excess - c.shortfall)
        size = max(slope, largest_entry(c.jacobian)) * largest_entry(c.violations)
        return box.measure(point.x, pull) <= 1e-3 * size
