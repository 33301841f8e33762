"""The loop that every method of least squares shares: propose, try, accept, stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import dot, largest_entry, norm
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.budget import Exhausted
from gradwright.solvers.residuals.problem import Fit, Residuals
from gradwright.solvers.residuals.result import LeastSquaresResult
from gradwright.solvers.residuals.step import Outcome, Rule, Step
from gradwright.solvers.run.record import Record
from gradwright.solvers.searches.parabola import turn

ACCEPT = 1e-4
"""The least ρ of an accepted step."""

QUIET = 6
"""Rejections in a row of steps whose effect drowns in rounding, before the run ends."""


@dataclass
class Run:
    """One run of a rule.

    Args:
        problem, rule: what, and how.
        gtol, xtol: tolerances of ``least_squares``.
        scale: D fixed by the user, or None for the largest column norms so far.
        callback: called as callback(x, iteration).
    """

    problem: Residuals
    rule: Rule
    gtol: float
    xtol: float
    scale: Tensor | None
    callback: Callback | None
    fit: Fit | None = None
    status: Status = Status.MAX_ITERATIONS
    note: str = ""

    def __post_init__(self) -> None:
        self.record = Record(self.problem.objective, self.callback)

    def solve(self, start: Tensor) -> LeastSquaresResult:
        try:
            self.fit = self.problem.begin(start)
            self.status = self._loop()
        except Exhausted as exhausted:
            self.status = exhausted.status
        return self._result()

    def _loop(self) -> Status:
        fit = self.fit
        assert fit is not None
        if not fit.usable:
            self.note = _what_is_not_finite(fit)
            return Status.NON_FINITE
        D = self._metric(fit, None)
        state = self.rule.start(fit.linear, D, fit.x)
        step: Step | None = None
        while True:
            status = self._accept(fit, D, step)
            if status is not None:
                return status
            found = self._search(fit, D, state)
            if isinstance(found, Status):
                return found
            fit, step, state = found
            self.fit = fit
            D = self._metric(fit, D)

    def _search(self, fit: Fit, D: Tensor, state: Any) -> tuple[Fit, Step, Any] | Status:
        """The next point, the step to it and the rule's state there, or the status of a search that found none."""
        quiet, objective = 0, self.problem.objective
        while True:
            step = self.rule.propose(state, fit.linear, D)
            target = self.problem.inside(fit.x + step.p)
            if not step.reduction > 0 or torch.equal(target.to(objective.dtype), fit.point.flat):
                return self._blocked(fit)
            trial = self.problem.at(target)
            if not (math.isfinite(trial.cost) and trial.usable):
                state = self.rule.learn(state, step, Outcome(-math.inf, 0.1, False))
                continue
            noise = objective.noise(fit.cost, trial.cost)
            actual, slope = fit.cost - trial.cost, dot(fit.gradient, step.p)
            drowned = self._rounding(fit)
            if abs(actual) <= drowned and step.reduction <= drowned:
                # the slopes at both ends tell the difference to third order, free of the rounding of the cost
                quiet += 1
                ratio = -0.5 * (slope + dot(trial.gradient, step.p)) / step.reduction
            else:
                ratio = (actual + noise) / (step.reduction + noise)
            accepted = ratio > ACCEPT
            state = self.rule.learn(state, step, Outcome(ratio, turn(fit.cost, trial.cost, slope), accepted))
            if accepted:
                return trial, step, state
            if quiet >= QUIET:
                return self._blocked(fit)

    def _rounding(self, fit: Fit) -> float:
        """What rounding x in its last place may do to the cost: more than the rounding of the cost where r cancels."""
        moved = norm(fit.linear.columns * fit.x) * norm(fit.linear.r)
        return self.problem.objective.noise(fit.cost, moved)

    def _metric(self, fit: Fit, before: Tensor | None) -> Tensor:
        """D: positive everywhere, never smaller than before."""
        if self.scale is not None:
            return self.scale
        columns = fit.linear.columns
        if before is not None:
            return torch.maximum(before, columns)
        return torch.where(columns > 0, columns, torch.ones_like(columns))

    def _accept(self, fit: Fit, D: Tensor, step: Step | None) -> Status | None:
        """Record an iterate; the status if this is the end."""
        stopped = self.record.add(fit.point, fit.cost, largest_entry(fit.gradient))
        if stopped is not None:
            return stopped
        boxed = self.problem.box is not None  # in which the slope of one column alone tells nothing
        if (boxed or self._steepest_cosine(fit) <= self.gtol) and self._optimality(fit) <= self.gtol:
            return Status.CONVERGED_GRADIENT
        small = step is not None and norm(D * step.p) <= self.xtol * norm(D * fit.x)
        if small and self._settled(fit):
            return self._at_rest()
        if self.record.is_full:
            return Status.MAX_ITERATIONS
        return None

    @staticmethod
    def _steepest_cosine(fit: Fit) -> float:
        """The largest cosine between r and a column of J, over the robust residual: never above the optimality."""
        columns = fit.linear.columns
        along = torch.where(columns > 0, fit.gradient.abs() / columns, torch.zeros_like(columns))
        size = math.sqrt(2 * max(fit.cost, 0.0))
        return largest_entry(along) / size if size > 0 else 0.0

    @staticmethod
    def _optimality(fit: Fit) -> float:
        """‖P r‖ / ‖r‖: the full Gauss-Newton step expects to lower the cost by this squared."""
        size = math.sqrt(2 * max(fit.cost, 0.0))
        return math.sqrt(2 * _fall(fit)) / size if size > 0 else 0.0

    def _settled(self, fit: Fit) -> bool:
        """Whether the full Gauss-Newton step, not only the damped one, is below xtol of x, in units of J's columns."""
        columns = fit.linear.columns
        return norm(columns * _full(fit)) <= self.xtol * norm(columns * fit.x)

    def _at_rest(self) -> Status:
        self.note = f"The full Gauss-Newton step is below xtol={self.xtol:g} of x."
        return Status.CONVERGED_STEP

    def _blocked(self, fit: Fit) -> Status:
        """The verdict when no step lowers the cost."""
        objective = self.problem.objective
        if self._optimality(fit) <= self.gtol:
            return Status.CONVERGED_GRADIENT
        if self._settled(fit):
            return self._at_rest()
        predicted_reduction = _fall(fit)
        nudge = objective.eps * fit.x.abs() * fit.gradient.sign()
        nudged = self.problem.at(self.problem.inside(fit.x - nudge))
        noisy = nudged.usable and norm(nudged.gradient - fit.gradient) > 0.5 * norm(fit.gradient)
        return Status.NOISE_FLOOR if noisy or predicted_reduction <= self._rounding(fit) else Status.STALLED

    def _result(self) -> LeastSquaresResult:
        fit, objective = self.fit, self.problem.objective
        assert fit is not None
        layout = objective.source.layout
        if self.status in (Status.STALLED, Status.NOISE_FLOOR) and not objective.repeats(fit.point):
            self.status = Status.NOT_DETERMINISTIC
        fields = self.record.fields(fit.point, fit.gradient)  # before what is only shown takes products of its own
        finite = self.status is not Status.NON_FINITE
        dense = fit.is_dense and finite
        z = (fit.r / self.problem.f_scale) ** 2
        return LeastSquaresResult(
            fun=fit.cost,
            status=self.status,
            note=self.note,
            residuals=fit.r.to(layout.dtype),
            jacobian=fit.jacobian.to(layout.dtype) if dense else None,
            optimality=self._optimality(fit) if finite else math.nan,
            active=float(self.problem.rho(z).weight.sum()),
            extra=self._extra(fit),
            **fields,
        )

    def _extra(self, fit: Fit) -> dict[str, Any]:
        """With bounds, on which of them each unknown lies."""
        box, layout = self.problem.box, self.problem.objective.source.layout
        if box is None:
            return {}
        mask = (fit.x >= box.upper).to(layout.dtype) - (fit.x <= box.lower).to(layout.dtype)
        return {"active_mask": layout.structured(torch.where(box.lower == box.upper, 1.0, mask))}


def _full(fit: Fit) -> Tensor:
    """The full Gauss-Newton step, with columns measured as they are here: one that has become tiny still counts."""
    columns = fit.linear.columns
    return fit.linear.full(torch.where(columns > 0, columns, torch.ones_like(columns)))


def _fall(fit: Fit) -> float:
    """By how much the full step expects to lower the cost."""
    p = _full(fit)
    return max(fit.linear.fall(p, 0.0, torch.ones_like(p)), 0.0)


def _what_is_not_finite(fit: Fit) -> str:
    bad = int((~fit.r.isfinite()).sum())
    if bad:
        return f"{bad} of {fit.r.numel()} residuals at x0 are not finite."
    if not math.isfinite(fit.cost):
        return f"The cost at x0 is {fit.cost}."
    return "The Jacobian at x0 is not finite."
