"""The method of multipliers: a sequence of bound-constrained problems, each with better multipliers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gradwright.solvers.constrained.augmented_source import AugmentedSource
from gradwright.solvers.constrained.constrainable import Constrainable
from gradwright.solvers.constrained.constraint_set import Constrained
from gradwright.solvers.constrained.kkt import Measure, Multipliers, estimate, measure
from gradwright.solvers.constrained.monitor import ConstrainedMonitor, Judged
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.quasi_newton.lbfgsb import LBFGSB

INNER = 0.1
"""Tolerance of the first bound-constrained problem, and the factor by which it falls."""

STUCK = 3
"""Outer iterations in a row without progress after which a run ends."""

DIVERGED = 100.0
"""An inner point this many times further off the constraints than x0 is large is not gone on from."""

STATIONARY = 1e-3
"""Part of a violation that has to be within reach for it not to count as stationary."""

FINEST = 1e-13
"""Least tolerance of inner problems, whose gradient is about one at the start."""

SPENT = (Status.MAX_EVALUATIONS, Status.MAX_SECONDS)
AT_REST = (Status.CONVERGED_GRADIENT, Status.CONVERGED_VALUE, Status.NOISE_FLOOR, Status.STALLED)
"""Ends of an inner run after which another one from the same point would change nothing."""


@dataclass(frozen=True)
class AugmentedLagrangian(Constrainable):
    """``augmented-lagrangian``: x ← argmin of L_ρ(x; λ) in the box by L-BFGS-B, then λ ← t(x).

    The tolerance of x falls tenfold each time; ρ grows where the violation did not fall enough. It needs first
    derivatives only and never forms an (n, n) matrix. An iteration of the result is one update of λ.

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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.growth > 1:
            raise ValueError(f"growth={self.growth} must be above 1, or the penalty never grows; 10 is usual")
        if not 0 < self.keep < 1:
            raise ValueError(f"keep={self.keep} must lie in (0, 1); 0.25 is usual")

    def solve(self, objective: Objective, start: Point, monitor: ConstrainedMonitor) -> Status:  # type: ignore[override]
        return _Run(self, objective, monitor).go(start)


class _Run:
    """One run.

    Attributes:
        λ, rho: multipliers and penalty of the next inner problem.
        unit: a power of two near the size of the first gradient, which inner problems are divided by.
    """

    λ: Tensor
    rho: float
    unit: float

    def __init__(self, rule: AugmentedLagrangian, objective: Objective, monitor: ConstrainedMonitor) -> None:
        self.rule, self.objective, self.monitor = rule, objective, monitor
        self.set, self.box = rule.prepared(objective)

    def go(self, start: Point) -> Status:
        point, c = start, self.set.at(start.flat)
        self.set.choose_units(c)
        guess = Multipliers(torch.zeros_like(c.value), torch.zeros_like(point.x))
        if point.usable and c.finite:
            guess = estimate(point.x, point.gradient, c, self.box)
        status = self._judge(point, c, guess)
        if status is not None:
            return status
        self._begin(point, c, guess)
        tolerance, infeasibility, last = INNER, math.inf, point
        unmoved = stuck = 0
        for _ in range(self.rule.outer):
            scale = self.objective.unit
            source = AugmentedSource(self.objective.source, self.set, self.λ, self.rho, scale, self.unit)
            point, ended = self._minimised(source, last, tolerance)
            c = self.set.at(point.flat)
            t = source.updated(c)
            status = self._judge(point, c, self._complete(point, c, t)) or self._converged_with_others(point, c)
            if status is not None:
                return status
            if ended in SPENT:
                return ended
            violation, violated = largest_entry(c.violations), self.monitor.near.violation(c) > self.monitor.ctol
            if not violation <= self.furthest and self.rho < self.ceiling:
                self.rho *= self.rule.growth**2  # it fell down beside the constraints: not a point to go on from
                continue
            tightest = self._tightest()
            stationary = self._violation_is_stationary(point, c)
            stuck = stuck + 1 if violated and violation > 0.9 * infeasibility and stationary else 0
            if stuck >= STUCK:
                return Status.INFEASIBLE
            rests = tolerance <= tightest and ended in AT_REST and not violated
            unmoved = unmoved + 1 if rests and self._is_near(point, last) else 0
            if unmoved >= STUCK:
                return self.monitor.floor()
            worst = max(violation, largest_entry((t - self.λ) / self.rho))
            self.λ = t.clamp(-self.ceiling, self.ceiling)
            if worst > self.rule.keep * infeasibility:
                self.rho *= self.rule.growth
            infeasibility, last = worst, point
            tolerance = max(INNER * tolerance, tightest)
            self.monitor.extra["penalty"] = self.rho * self.objective.unit
            if self.rho > self.ceiling:
                return Status.INFEASIBLE if violated and stationary else self.monitor.floor()
        return Status.MAX_ITERATIONS

    def _begin(self, point: Point, c: Constrained, guess: Multipliers) -> None:
        """The first λ and ρ, with the units that they are measured in."""
        scale = max(self.monitor.scale, torch.finfo(self.objective.dtype).tiny)
        squares = float(c.violations @ c.violations)
        self.rho = scale * (min(max(10 / squares, 1e-2), 1e3) if squares > 0 else 10)
        self.ceiling = self.rule.largest * scale
        self.furthest = DIVERGED * max(1.0, largest_entry(point.x), largest_entry(c.violations))
        self.λ = guess.rows.clamp(-1e6 * scale, 1e6 * scale)
        self.first_slope = largest_entry(c.jacobian)
        steepest = max(largest_entry(point.gradient), self.rho * largest_entry(c.jacobian.T @ c.violations))
        self.unit = 2.0 ** (math.frexp(steepest)[1] - 1) if 0 < steepest < math.inf else 1.0

    def _tightest(self) -> float:
        """The tolerance of inner problems that no further one is tighter than: a tenth of what the run asks for."""
        assert self.monitor.current is not None
        return max(0.1 * self.monitor.tolerance(self.monitor.current.measure) / self.unit, FINEST)

    def _minimised(self, source: AugmentedSource, point: Point, tolerance: float) -> tuple[Point, Status]:
        """The minimum of L in the box as far as a tolerance asks, and how the search for it ended."""
        objective, method = self.objective, LBFGSB(self.rule.memory)
        iterations = min(objective.budget.limits.iterations(objective.size), max(200, 10 * objective.size))
        inner = Objective(source, None, objective.budget.left(iterations), objective.box)
        monitor = method.monitor(inner, tolerance, None, fixed=True)
        first = inner.at(point.x)
        found = monitor.run(partial(method.solve, inner, first, monitor))
        objective.budget.nfev += inner.nfev
        objective.njev += inner.njev
        return objective.at(objective.source.layout.flatten(found.x, "x")), found.status

    def _complete(self, point: Point, c: Constrained, t: Tensor) -> Multipliers:
        """With the bounds' multipliers: what is left of the gradient where a bound is met."""
        rest = -(point.gradient + c.jacobian.T @ t)
        at_upper, at_lower = (point.x >= self.box.upper) & (rest > 0), (point.x <= self.box.lower) & (rest < 0)
        return Multipliers(t, torch.where(at_upper | at_lower, rest, 0.0))

    def _judge(self, point: Point, c: Constrained, at: Multipliers) -> Status | None:
        slope = point.gradient if point.usable and c.finite else torch.zeros_like(point.x)
        return self.monitor.accept(point, c, at, self._measured(point, slope, c, at))

    def _measured(self, point: Point, slope: Tensor, c: Constrained, at: Multipliers) -> Measure:
        return measure(point.x, slope, c, self.box, at, self.monitor.near)

    def _converged_with_others(self, point: Point, c: Constrained) -> Status | None:
        """Converged with multipliers of least squares? For a feasible point that is recorded already."""
        if self.monitor.near.violation(c) > self.monitor.ctol:
            return None
        at = estimate(point.x, point.gradient, c, self.box)
        m = self._measured(point, point.gradient, c, at)
        if not self.monitor.converged(m):
            return None
        self.monitor.current = Judged(point, c, at, m)
        return Status.CONVERGED_GRADIENT

    def _violation_is_stationary(self, point: Point, c: Constrained) -> bool:
        """Whether no feasible direction makes ½‖violation‖² smaller: to three digits of the slope at x0, and so that no
        step as long as x would remove a thousandth. The second fails where slopes vanish along with the violation."""
        pull = c.jacobian.T @ (c.excess - c.shortfall)
        violation, slope = largest_entry(c.violations), max(self.first_slope, largest_entry(c.jacobian))
        left = self.box.measure(point.x, pull, self.objective.eps)
        reach = max(1.0, largest_entry(point.x))
        return left <= STATIONARY * slope * violation and left * reach <= STATIONARY * violation**2

    def _is_near(self, point: Point, last: Point) -> bool:
        """Whether an inner run moved by no more than the rounding of values lets it see."""
        return largest_entry(point.x - last.x) <= math.sqrt(self.objective.eps) * max(1.0, largest_entry(point.x))
