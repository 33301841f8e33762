"""ConstrainedMonitor: the record of a constrained run, its stopping rules, and its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.solvers.constrained.constraint_set import Constrained
from gradwright.solvers.constrained.kkt import ROUNDING, Measure, Multipliers, Near
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.outcome.result import Result
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.budget import status_of
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.run.convergence import GradientTest
from gradwright.solvers.run.patience import Patience
from gradwright.solvers.run.record import Record
from gradwright.solvers.run.unboundedness import UnboundednessTest

PATIENCE = 50
"""Accepted iterates in a row without progress in value, violation or stationarity before a run counts as finished."""

STEPS = 5
"""Steps before the gradient of the Lagrangian may pass without forces that it is compared with."""


class Judged(NamedTuple):
    """An iterate with its multipliers, and how far both are from a solution."""

    point: Point
    c: Constrained
    multipliers: Multipliers
    measure: Measure

    def slope(self, at: Multipliers) -> Tensor:
        """∇f + Jᵀλ with other multipliers."""
        return self.point.gradient + self.c.jacobian.T @ at.rows


class ConstrainedMonitor:
    """Judges iterates (x, λ) by feasibility and stationarity, and hands back the last good one.

    A run has converged when the violation is at most ``ctol``, and constraints balance all but ``gtol`` of every entry
    of ∇f, or the gradient of the Lagrangian passes the :class:`GradientTest`, or is no more than rounding.

    Args:
        objective: for its counters and precision.
        gtol, ctol: tolerances; ctol in the units of the rows.
        callback: called as callback(x, iteration); it may raise StopIteration.

    Attributes:
        unboundedness: what tells a value that falls without end; None before the start.
        scale: of the value at the start, max(|f₀|, ‖g₀‖ max(1, ‖x₀‖)).
    """

    def __init__(self, objective: Objective, gtol: float, ctol: float, callback: Callback | None) -> None:
        self.objective, self.gtol, self.ctol = objective, gtol, ctol
        self.test = GradientTest(gtol, steps=STEPS)
        self.near = Near(ctol, objective.eps)
        self.record = Record(objective, callback)
        self.current: Judged | None = None
        self.best: Judged | None = None
        self.note = ""
        self.extra: dict[str, Any] = {}
        self.scale = 0.0
        self.unboundedness: UnboundednessTest | None = None
        self._patience = Patience(PATIENCE)

    def accept(self, point: Point, c: Constrained, multipliers: Multipliers, measure: Measure) -> Status | None:
        """Record an iterate; the status if this is the end."""
        last, self.current = self.current, Judged(point, c, multipliers, measure)
        if not self.record.trace:
            bad = self._what_is_not_finite(point, c)
            if bad:
                self.note = bad
                return Status.NON_FINITE
            self.unboundedness = UnboundednessTest(point, point.value, self.objective.box)
            self.scale = max(self.unboundedness.scale, 1e-300)
        y = None if last is None else self.current.slope(multipliers) - last.slope(multipliers)
        self.test.see(point.x, measure.stationarity, y, self.objective.eps)
        if self.best is None or self._rank(self.current) <= self._rank(self.best):
            self.best = self.current
        stopped = self.record.add(point, point.value, measure.stationarity)
        if stopped is not None:
            return stopped
        if self.converged(measure):
            return Status.CONVERGED_GRADIENT
        feasible = measure.violation <= self.ctol * max(1.0, largest_entry(point.x))
        if feasible and self.unboundedness is not None and self.unboundedness.is_bottomless(point, point.value):
            return Status.UNBOUNDED
        if self.record.is_full:
            return Status.MAX_ITERATIONS
        tired = self._patience.ends_with(point.value, measure.violation, measure.stationarity)
        return self.floor() if tired else None

    def tolerance(self, measure: Measure) -> float:
        """What stationarity may be, as far as it is one number."""
        return max(self._floor(measure), self.gtol * min(measure.force, measure.gradient))

    def converged(self, measure: Measure) -> bool:
        return measure.violation <= self.ctol and self._is_stationary(measure)

    def _is_stationary(self, measure: Measure) -> bool:
        return measure.ratio <= self.gtol or measure.stationarity <= self._floor(measure)

    def _floor(self, measure: Measure) -> float:
        """What stationarity may be without a force that it is compared with."""
        return max(self.test.tolerance, ROUNDING * self.objective.eps * max(measure.force, measure.gradient))

    def floor(self) -> Status:
        """The verdict when no step improves the value in its precision: converged if it is within gtol as it stands."""
        assert self.current is not None
        measure = self.current.measure
        if measure.violation > self.ctol:
            return Status.STALLED
        if measure.stationarity > self.tolerance(measure):
            self.test.look_nearby(self.objective, self.current.point)
        return Status.CONVERGED_VALUE if measure.stationarity <= self.tolerance(measure) else Status.NOISE_FLOOR

    def run(self, solve: Callable[[], Status]) -> Result:
        """Run a solver to its status and make the result."""
        return self.result(status_of(solve))

    def result(self, status: Status) -> Result:
        assert self.current is not None, "a run accepts its starting point first"
        point, c, multipliers, measure = self.current if status.success or self.best is None else self.best
        if status is Status.INFEASIBLE and measure.violation <= self.ctol:
            status = Status.STALLED  # it ended at an infeasible point, but an earlier one satisfies the constraints
        if status in (Status.STALLED, Status.NOISE_FLOOR, Status.MAX_ITERATIONS) and self._differs(point, c):
            status = Status.NOT_DETERMINISTIC
        layout, unit, rows = self.objective.source.layout, self.objective.unit, c.owner.units
        violation = largest_entry(c.violations * rows)
        if not self.note and math.isfinite(violation) and c.value.numel():
            self.note = f"The largest violation of a constraint is {violation:.2g}."
        return Result(
            fun=point.value * unit,
            status=status,
            extra={
                "multipliers": list((multipliers.rows * (unit / rows)).split(c.owner.sizes)),
                "bound_multipliers": layout.structured((multipliers.bounds * unit).to(layout.dtype)),
                "constraints": list((c.value * rows).split(c.owner.sizes)),
                "violation": violation,
                "stationarity": measure.stationarity * unit,
                "ncev": c.owner.count,
                **self.extra,
            },
            note=self.note,
            **self.record.fields(point, point.gradient),
        )

    def _rank(self, each: Judged) -> tuple[float, float]:
        """Feasible before infeasible; then by value, or by violation."""
        violation = each.measure.violation
        return (0.0 if violation <= self.ctol else violation, each.point.value)

    def _differs(self, point: Point, c: Constrained) -> bool:
        """Whether the value or a constraint at a point is another one when it is computed again."""
        if not self.objective.repeats(point):
            return True
        new, old = c.owner.at(point.flat).value, c.value
        differ = (new - old).abs() > self.ctol + 1e3 * self.objective.eps * torch.maximum(new.abs(), old.abs())
        return bool(differ.any())

    def _what_is_not_finite(self, point: Point, c: Constrained) -> str:
        if not math.isfinite(point.value):
            return f"fun(x0) = {point.value}."
        named: list[tuple[str, Tensor]] = [(f"fun(x0) = {point.value:.6g}, but {{}} of its gradient", point.gradient)]
        start = 0
        for index, size in enumerate(c.owner.sizes):
            rows = slice(start, start + size)
            named.append((f"At x0 {{}} of constraints[{index}]", c.value[rows]))
            named.append((f"At x0 {{}} of the Jacobian of constraints[{index}]", c.jacobian[rows]))
            start += size
        for words, value in named:
            bad = int((~value.isfinite()).sum())
            if bad:
                return words.format(f"{bad} of {value.numel()} entries") + " are not finite."
        return ""
