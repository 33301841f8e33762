"""LineSearch: a descent and a search make a method."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradwright.solvers.descents import Descent
from gradwright.solvers.descents.base import steepest
from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.methods.saddle import escape_saddle
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.run.method import Method
from gradwright.solvers.run.monitor import Monitor
from gradwright.solvers.searches import HagerZhang, Search, search_of
from gradwright.solvers.searches.line import Line


@dataclass(frozen=True)
class LineSearch(Method):
    """x ← x + αd: ``descent`` gives d, ``search`` gives α.

    A direction that is not downhill by more than rounding, or along which no better point is found, is replaced once by
    −g with an empty memory; if that finds nothing either, the run ends. A start with a gradient of exactly zero is left
    along negative curvature, by descents that know of curvature.

    Args:
        descent: the direction.
        search: the step length: a :class:`Search`, or its name out of ``SEARCHES``.
    """

    descent: Descent
    search: Search = field(default_factory=HagerZhang)

    def __post_init__(self) -> None:
        object.__setattr__(self, "search", search_of(self.search))

    @property
    def needs_curvature(self) -> bool:  # type: ignore[override]
        return self.descent.needs_curvature

    def solve(self, objective: Objective, start: Point, monitor: Monitor) -> Status:
        point, state, fresh = start, self.descent.start(objective), True
        status = monitor.accept(point)
        if status is Status.CONVERGED_GRADIENT and self.needs_curvature and (lower := escape_saddle(objective, point)):
            point, status = lower, monitor.accept(lower)
        while status is None:
            d, first = self.descent.direction(state, point)
            line = Line(objective, point, d)
            downhill = line.slope < -objective.eps * norm(d) * norm(point.gradient)
            if not downhill and not fresh:
                state, fresh = self.descent.start(objective), True
                continue
            if not downhill:
                d, first = steepest(point)
                line = Line(objective, point, d)
            trial = self.search(line, first)
            if trial is None:
                if any(each.value == -float("inf") for each in line.trials.values()):
                    return Status.UNBOUNDED
                if fresh:
                    return monitor.blocked(-line.slope * first, line.agrees())
                state, fresh = self.descent.start(objective), True
                continue
            state, fresh = self.descent.learn(state, point, trial.point, d), False
            point.release()
            point = trial.point
            status = monitor.accept(point)
        return status
