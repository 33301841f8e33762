"""Watch: the record of a constrained run, its stopping rules, and its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from gradwright.solvers.bounds import Bounds
from gradwright.solvers.constrained.constraints import Constrained
from gradwright.solvers.constrained.kkt import Measure, Multipliers
from gradwright.solvers.objective import Exhausted, Objective, Point
from gradwright.solvers.result import Iteration, Result
from gradwright.solvers.status import Status
from gradwright.solvers.vectors import finite, largest_entry, norm

BOTTOMLESS = 1e15
"""A feasible value this many times its scale at the start below zero counts as unbounded."""


class Watch:
    """Judges iterates (x, λ) by feasibility and stationarity, and hands back the last good one.

    A run has converged when the violation is at most ``ctol`` and the stationarity at most gtol · F, where F is
    ‖∇f‖∞ as far as constraints balance it, at least min(1, largest ‖∇f‖∞ seen).

    Args:
        objective: for its counters and precision.
        gtol, ctol: tolerances.
        callback: called as callback(x, iteration); it may raise StopIteration.

    Attributes:
        scale: of the value at the start, max(|f₀|, ‖g₀‖ max(1, ‖x₀‖)).
    """

    def __init__(
        self, objective: Objective, gtol: float, ctol: float, callback: Callable[[Any, Iteration], Any] | None
    ) -> None:
        self.objective, self.gtol, self.ctol, self.callback = objective, gtol, ctol, callback
        self.trace: list[Iteration] = []
        self.current: tuple[Point, Constrained, Multipliers, Measure] | None = None
        self.best: tuple[Point, Constrained, Multipliers, Measure] | None = None
        self.box: Bounds | None = None
        self.note = ""
        self.extra: dict[str, Any] = {}
        self._steepest = self.scale = 0.0

    def accept(self, point: Point, c: Constrained, multipliers: Multipliers, measure: Measure) -> Status | None:
        """Record an iterate; the status if this is the end."""
        self.current = (point, c, multipliers, measure)
        if not self.trace:
            bad = self._what_is_not_finite(point, c)
            if bad:
                self.note = bad
                return Status.NON_FINITE
            self.scale = max(abs(point.value), norm(point.gradient) * max(1.0, norm(point.x)), 1e-300)
        self._steepest = max(self._steepest, largest_entry(point.gradient))
        if self.best is None or self._rank(self.current) <= self._rank(self.best):
            self.best = self.current
        entry = Iteration(point.value, measure.stationarity, self.objective.nfev, self.objective.nhev)
        self.trace.append(entry)
        if self.callback is not None:
            try:
                self.callback(self.objective.source.layout.structured(point.flat), entry)
            except StopIteration:
                return Status.STOPPED
        if self.converged(measure):
            return Status.CONVERGED_GRADIENT
        if point.value < -BOTTOMLESS * self.scale and measure.violation <= self.ctol * max(1.0, largest_entry(point.x)):
            return Status.UNBOUNDED
        if len(self.trace) > self.objective.limits.iterations(self.objective.size):
            return Status.MAX_ITERATIONS
        return None

    def tolerance(self, measure: Measure) -> float:
        """What stationarity may be."""
        return self.gtol * max(min(1.0, self._steepest), min(measure.force, measure.gradient))

    def converged(self, measure: Measure, slack: float = 1.0) -> bool:
        return measure.violation <= self.ctol and measure.stationarity <= slack * self.tolerance(measure)

    def floor(self) -> Status:
        """The verdict when no step improves the merit in its precision."""
        assert self.current is not None
        measure = self.current[3]
        if measure.violation > self.ctol:
            return Status.STALLED
        return Status.CONVERGED_STEP if self.converged(measure, 10.0) else Status.NOISE_FLOOR

    def run(self, solve: Callable[[], Status], note: str = "") -> Result:
        """Run a solver to its status and make the result."""
        try:
            status = solve()
        except Exhausted as exhausted:
            status = exhausted.status
        return self.result(status)

    def result(self, status: Status) -> Result:
        assert self.current is not None, "a run accepts its starting point first"
        point, c, multipliers, measure = self.current if status.success or self.best is None else self.best
        if status is Status.INFEASIBLE and measure.violation <= self.ctol:
            status = Status.STALLED  # it ended at an infeasible point, but an earlier one satisfies the constraints
        layout = self.objective.source.layout
        if not self.note and math.isfinite(measure.violation) and c.value.numel():
            self.note = f"The largest violation of a constraint is {measure.violation:.2g}."
        return Result(
            x=layout.structured(point.flat.clone()),
            fun=point.value,
            jac=layout.structured(point.gradient.to(layout.dtype)),
            status=status,
            nit=max(len(self.trace) - 1, 0),
            nfev=self.objective.nfev,
            njev=self.objective.njev,
            nhev=self.objective.nhev,
            trace=tuple(self.trace),
            extra={
                "multipliers": [part.clone() for part in multipliers.rows.split(c.owner.sizes)],
                "bound_multipliers": layout.structured(multipliers.bounds.to(layout.dtype)),
                "constraints": [part.clone() for part in c.value.split(c.owner.sizes)],
                "violation": measure.violation,
                "stationarity": measure.stationarity,
                "ncev": c.owner.count,
                **self.extra,
            },
            note=self.note,
        )

    def _rank(self, each: tuple[Point, Constrained, Multipliers, Measure]) -> tuple[float, float]:
        """Feasible before infeasible; then by value, or by violation."""
        point, _, _, measure = each
        feasible = measure.violation <= self.ctol
        return (0.0, point.value) if feasible else (measure.violation, point.value)

    def _what_is_not_finite(self, point: Point, c: Constrained) -> str:
        if not math.isfinite(point.value):
            return f"fun(x0) = {point.value}."
        named: list[tuple[str, Tensor]] = [("the gradient of fun", point.gradient)]
        start = 0
        for index, size in enumerate(c.owner.sizes):
            named.append((f"constraints[{index}]", c.value[start : start + size]))
            named.append((f"the Jacobian of constraints[{index}]", c.jacobian[start : start + size]))
            start += size
        return next((f"{name} is not finite at x0." for name, value in named if not finite(value)), "")
