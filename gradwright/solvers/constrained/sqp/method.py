"""Sequential quadratic programming with an l1 merit function."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gradwright.solvers.constrained.constrainable import Constrainable
from gradwright.solvers.constrained.iterate import Iterate, Problem
from gradwright.solvers.constrained.kkt import Measure, Multipliers, estimate, measure
from gradwright.solvers.constrained.monitor import ConstrainedMonitor, Judged
from gradwright.solvers.constrained.sqp.elastic import elastic_step
from gradwright.solvers.constrained.sqp.lagrangian_hessian import Damped, Exact, LagrangianHessian
from gradwright.solvers.constrained.sqp.merit import L1Merit
from gradwright.solvers.constrained.sqp.subproblem import Model, Step, plain
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.objective import Objective, Point

STEEP = 100.0
"""Constraints with larger slopes at the start count less in sums of violations."""

HUGE = 1e8
"""Multipliers whose force is this many times the gradient's come from a program that is nearly infeasible."""

FAILURES = 3
"""Searches in a row that may fail, each with less trust in the curvature, before a run ends."""


@dataclass(frozen=True)
class SQP(Constrainable):
    """``sqp``: a quadratic program for each step, an l1 merit function to judge it.

    minimise ½dᵀBd + gᵀd  subject to  l ≤ c + Jd ≤ u,  lower ≤ x + d ≤ upper

    gives the step and the multipliers λ. It is taken as far as φ = f + Σ ρᵢ · violationᵢ falls enough (Armijo), with
    ρᵢ ≥ |λᵢ|. Where the full step fails although it is good, because the constraints curve away from their
    linearisation (Maratos), one more program with c(x + d) in place of c corrects it. Where the linearised constraints
    contradict each other they may be violated at a price (elastic mode); where no price makes the violation fall, the
    run ends as ``INFEASIBLE`` at the least violation found. Bounds hold at every point that is evaluated.

    Args:
        hessian: ``"exact"``, the Hessian of the Lagrangian made positive definite (see :func:`convexified`), n products
            and one pass over each constraint's second derivative an iteration; or ``"bfgs"``, Powell's damped update.
        armijo: part of the predicted fall that a step must keep.

    Reference: Nocedal and Wright, Numerical Optimization (2006), chapter 18; Powell (1978) for ρᵢ.
    """

    hessian: str = "exact"
    armijo: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hessian not in ("exact", "bfgs"):
            raise ValueError(f"hessian={self.hessian!r} is unknown; give 'exact' or 'bfgs'")

    @property
    def needs_curvature(self) -> bool:  # type: ignore[override]
        return self.hessian == "exact"

    def solve(self, objective: Objective, start: Point, monitor: ConstrainedMonitor) -> Status:  # type: ignore[override]
        return _Run(self, objective, monitor).go(start)


class _Run:
    """One run of SQP."""

    def __init__(self, rule: SQP, objective: Objective, monitor: ConstrainedMonitor) -> None:
        self.rule, self.monitor = rule, monitor
        self.problem = Problem(objective, *rule.prepared(objective))
        self.curvature: LagrangianHessian = Exact(self.problem) if rule.needs_curvature else Damped()
        self.failures = self.capped = 0

    def go(self, start: Point) -> Status:
        at = Iterate(start, self.problem.set.at(start.flat))
        self.problem.set.choose_units(at.c)
        if not at.usable:
            zero = Multipliers(torch.zeros_like(at.c.value), torch.zeros_like(start.x))
            return self._judge(at, zero) or Status.NON_FINITE
        self.merit = L1Merit(self.problem, self.rule.armijo, self.monitor.ctol, at.c.value)
        self.units = 1 / (at.c.slopes / STEEP).clamp(min=1.0)
        multipliers = self._least_squares(at)
        status = self._judge(at, multipliers)
        while status is None:
            model = self._model(at, multipliers)
            step = self._step(at, model)
            if isinstance(step, Status):
                return step
            found = self.merit.search(at, model, step, step.elastic * self.units)
            self.capped = self.capped + 1 if largest_entry(step.d) > 0.9 * at.reach else 0
            if found is None:
                status = self._judge_here(at, step.multipliers) or self._retry()
                continue
            ahead, alpha = found
            self.failures = 0
            multipliers = step.multipliers
            self.curvature.learn(at, ahead, multipliers, alpha)
            at.point.release()
            at = ahead
            status = self._judge(at, multipliers)
            if status is None and self._falls_for_ever(at):
                return Status.UNBOUNDED
            if status is None and self._looks_finished(at, multipliers):
                status = self._judge_here(at, self._least_squares(at))
        return status

    def _model(self, at: Iterate, multipliers: Multipliers) -> Model:
        x, c, box = at.point.x, at.c, self.problem.box
        B = self.curvature.matrix(at, multipliers)
        lower, upper = self.problem.set.lower - c.value, self.problem.set.upper - c.value
        return Model(B, at.point.gradient, c.jacobian, lower, upper, Bounds(box.lower - x, box.upper - x))

    def _step(self, at: Iterate, model: Model) -> Step | Status:
        """The step of the program, of finite length; elastic where that has none, or only with huge multipliers."""
        step = plain(model)
        if step is None or largest_entry(step.d) > at.reach:
            step = self._without_caps(plain(model.within(at.reach)), at)
        if step is not None:
            step = self.curvature.corrected(step)
            force = largest_entry(step.multipliers.rows * at.c.slopes)
            if force <= HUGE * max(1.0, largest_entry(at.point.gradient)):
                return step
        found = elastic_step(at, model.within(at.reach), self.units, self.merit.penalties, self.monitor.ctol)
        if isinstance(found, Status):
            return found
        return self._without_caps(found, at) or step or self._given_up(at)

    def _given_up(self, at: Iterate) -> Status:
        """The verdict where no program can be solved: at the bottom, or so deep that its numbers are out of range."""
        deep = self.monitor.unboundedness is not None and self.monitor.unboundedness.is_deep(at.point.value)
        return Status.UNBOUNDED if deep and self._is_nearly_feasible(at) else self.monitor.floor()

    def _is_nearly_feasible(self, at: Iterate) -> bool:
        return largest_entry(at.c.violations) <= self.monitor.ctol * max(1.0, largest_entry(at.point.x))

    def _without_caps(self, step: Step | None, at: Iterate) -> Step | None:
        """Without multipliers at the cap on the length of a step, which is no bound of the problem."""
        if step is None:
            return None
        x, ν, box = at.point.x, step.multipliers.bounds, self.problem.box
        beyond = torch.where(ν > 0, box.upper - x, x - box.lower) > at.reach
        return Step(step.d, Multipliers(step.multipliers.rows, torch.where(beyond, 0.0, ν)), step.elastic)

    def _retry(self) -> Status | None:
        """After a search that failed: start over with less trust in the curvature, or give up."""
        self.failures += 1
        if self.failures > FAILURES:
            return Status.STALLED if self.merit.predicted_reduction else self.monitor.floor()
        self.curvature.distrust()
        return None

    def _least_squares(self, at: Iterate) -> Multipliers:
        return estimate(at.point.x, at.point.gradient, at.c, self.problem.box)

    def _measured(self, at: Iterate, multipliers: Multipliers) -> Measure:
        return measure(at.point.x, at.point.gradient, at.c, self.problem.box, multipliers, self.monitor.near)

    def _judge(self, at: Iterate, multipliers: Multipliers) -> Status | None:
        m = self._measured(at, multipliers)
        return self.monitor.accept(at.point, at.c, multipliers, m)

    def _judge_here(self, at: Iterate, multipliers: Multipliers) -> Status | None:
        """Converged with these multipliers? For a point that is recorded already."""
        m = self._measured(at, multipliers)
        known = self.monitor.current
        if known is None or known.measure.stationarity > m.stationarity:
            self.monitor.current = Judged(at.point, at.c, multipliers, m)
        return Status.CONVERGED_GRADIENT if self.monitor.converged(m) else None

    def _looks_finished(self, at: Iterate, multipliers: Multipliers) -> bool:
        """Feasible and nearly stationary: multipliers of the last step may be all that is off."""
        m = self._measured(at, multipliers)
        return m.violation <= self.monitor.ctol and m.stationarity <= 1e3 * self.monitor.tolerance(m)

    def _falls_for_ever(self, at: Iterate) -> bool:
        """Whether two steps in a row were as long as steps may be, at a feasible point far below the start."""
        return self.capped >= 2 and self._is_nearly_feasible(at) and at.point.value < -1e6 * self.monitor.scale
