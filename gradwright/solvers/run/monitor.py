"""Monitor: watches accepted iterates, decides when to stop, and hands back the best one."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.outcome.result import Result
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.budget import Exhausted, status_of
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.run.convergence import GradientTest
from gradwright.solvers.run.patience import Patience
from gradwright.solvers.run.record import Record
from gradwright.solvers.run.unboundedness import UnboundednessTest

PATIENCE = 20
"""Accepted iterates in a row without progress in value or gradient before a run counts as finished."""


class Monitor:
    """Stopping rules that do not depend on the units of f, and the record of the run.

    A run has converged when the gradient passes the :class:`GradientTest`. When no step improves the value in its
    precision the run ends too: converged if the gradient passes beside what it is nearby, at the noise floor otherwise.

    Args:
        objective: for its counters and precision.
        gtol: tolerance of the gradient, see :class:`GradientTest`.
        callback: called as callback(x, iteration); it may raise StopIteration.
        measure: what is to vanish at a solution, where it is not the gradient (with bounds, the projected gradient).
        value: what is minimised, where it is not the value of the objective.
        fixed: gtol is in the units of the gradient, for runs inside others.
    """

    def __init__(
        self,
        objective: Objective,
        gtol: float,
        callback: Callback | None = None,
        measure: Callable[[Point], float] | None = None,
        value: Callable[[Point], float] | None = None,
        fixed: bool = False,
    ) -> None:
        self.objective = objective
        self.test = GradientTest(gtol, fixed)
        self.record = Record(objective, callback)
        self.measure = measure or (lambda point: point.slope_size)
        self.value = value or (lambda point: point.value)
        self.best: Point | None = None
        self.current: Point | None = None
        self._patience = Patience(PATIENCE)
        self._unboundedness: UnboundednessTest | None = None

    @property
    def nit(self) -> int:
        return self.record.nit

    def accept(self, point: Point) -> Status | None:
        """Record an accepted iterate; the status if this is the end."""
        value = self.value(point)
        last, self.current = self.current, point
        if not self.record.trace and not point.usable:
            return Status.NON_FINITE
        size = self.measure(point)
        y = None if last is None else point.gradient - last.gradient
        self.test.see(point.x, size, y, self.objective.eps, point.value)
        if self.best is None or value < self.value(self.best):
            self.best = point
        stopped = self.record.add(point, value, size)
        if stopped is not None:
            return stopped
        if self._unboundedness is None or self._unboundedness.scale == 0:
            self._unboundedness = UnboundednessTest(point, self.record.trace[0].value, self.objective.box)
        if self._unboundedness.is_bottomless(point, value):
            return Status.UNBOUNDED
        if size <= self.test.tolerance:
            return Status.CONVERGED_GRADIENT
        if self.record.is_full:
            return Status.MAX_ITERATIONS
        return self.floor() if self._patience.ends_with(value, size) else None

    def begin_anew(self) -> None:
        """A second solver starts: progress is counted anew; what was best stays."""
        self._patience.renew()
        self.test.begin_anew()

    def floor(self) -> Status:
        """The verdict when no step improves the value in its precision."""
        assert self.current is not None
        size = self.measure(self.current)
        if size > self.test.tolerance:
            self.test.look_nearby(self.objective, self.current)
        return Status.CONVERGED_VALUE if size <= self.test.tolerance else Status.NOISE_FLOOR

    def blocked(self, predicted_reduction: float, agrees: bool = False) -> Status:
        """The verdict when a search failed: at the noise floor, or stalled.

        It is the noise floor if the predicted reduction is no more than noise, or if values and slopes along the search
        agreed with each other: then the function is what it says, and its rounding is in the way.
        """
        assert self.current is not None
        point, noise = self.current, self.objective.noise(self.value(self.current))
        if predicted_reduction <= noise or agrees or self._gradient_is_noise(point):
            return self.floor()
        return Status.STALLED

    def _gradient_is_noise(self, point: Point) -> bool:
        """Whether moving every number by one unit of rounding changes the gradient by half of its size."""
        try:
            nudged = self.objective.at(point.x - self.objective.eps * point.x.abs() * point.gradient.sign())
        except Exhausted:
            return False
        return nudged.usable and norm(nudged.gradient - point.gradient) > 0.5 * norm(point.gradient)

    def run(self, solve: Callable[[], Status]) -> Result:
        """Run a solver to its status and make the result of the best iterate."""
        return self.result(status_of(solve))

    def result(self, status: Status) -> Result:
        """The result at the best iterate.

        It is the last one unless an earlier one is lower by more than noise, or lower with as good a gradient.
        """
        objective, point = self.objective, self.current
        assert point is not None, "a run accepts its starting point first"
        if self.best is not None:
            margin = objective.noise(self.value(self.best), self.value(point))
            above = not self.value(point) <= self.value(self.best) + margin
            if above or (status.success and self.measure(self.best) <= max(self.test.tolerance, self.measure(point))):
                point = self.best
        note = ""
        if status is Status.NON_FINITE:
            note = _what_is_not_finite(point)
        elif status.success and self.measure(point) > self.test.tolerance:
            status = Status.NOISE_FLOOR
        elif status in (Status.STALLED, Status.NOISE_FLOOR, Status.MAX_ITERATIONS) and not objective.repeats(point):
            status = Status.NOT_DETERMINISTIC
        fields = self.record.fields(point, point.gradient)
        return Result(fun=self.value(point) * objective.unit, status=status, note=note, **fields)


def _what_is_not_finite(point: Point) -> str:
    if not math.isfinite(point.value):
        return f"fun(x0) = {point.value}."
    bad = ~point.gradient.isfinite()
    return f"fun(x0) = {point.value:.6g}, but {int(bad.sum())} of {bad.numel()} entries of its gradient are not finite."
