"""What both proximal Newton methods for L1 and group penalties share: their frame, their line search, their history.

A step goes to the minimum of a quadratic model of the smooth part plus the penalty itself; the certificate is a duality
gap. ``working_set`` forms the model over a few columns of any X, ``sparse_columns`` over columns of large sparse X.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.certificate.dual_of_penalty import duality_gap
from gradwright.linear_model.certificate.rounding import Rounding
from gradwright.linear_model.losses import Penalty
from gradwright.linear_model.objective import Objective, Problem
from gradwright.linear_model.solvers.budget import Budget

PATIENCE = 12
"""Iterations in a row that gain too little, after which rounding is what stops a fit."""


@dataclass
class ProximalRun:
    """A fit in progress: θ with its value, slopes and gap, and how well its models are solved.

    ``penalty`` is in the coordinates of θ; ``smooth`` and ``g`` are F and its gradient, without the kinks.
    """

    objective: Objective
    penalty: Penalty
    budget: Budget
    theta: ndarray
    began: float
    smooth: float = np.inf
    g: ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    gap: float = np.inf
    lower: float = -np.inf
    proven: bool = False
    best: float = np.inf
    stuck: int = 0
    precision: float = 0.1
    history: list[Record] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, problem: Problem, W: ndarray, b: ndarray, budget: Budget) -> ProximalRun:
        """At W and b, evaluated."""
        began = time.perf_counter()
        problem.frame = frame(problem)
        objective = problem.objective(problem.loss)
        objective.use(np.float64)
        design = objective.design
        run = cls(objective, problem.penalty.scaled(design.scale), budget, design.theta(W, b), began)
        run.smooth, run.g = objective.evaluate(run.theta)
        return run

    @property
    def value(self) -> float:
        """F with the kinks."""
        return self.smooth + self.penalty.kinks(self.theta)

    def prove(self, exact: bool = False) -> None:
        """Find the gap at θ from the slopes there; only an ``exact`` one, which counts rounding, proves it."""
        value, enough = self.value, self.budget.tol * self.value / (1.0 + self.budget.tol)
        self.gap = duality_gap(self.objective, self.penalty, self.theta, value, exact, enough)
        if exact:
            self.gap = min(self.gap, value + Rounding.at(self.objective, self.theta, value).value)
        self.proven = exact
        if not exact:
            self.lower = max(self.lower, value - self.gap)
            self.gap = value - self.lower

    def met(self) -> bool:
        """Whether the gap is proven to be within tol."""
        # where it no longer falls, the few columns by which slopes have to shrink may be what holds it up
        if not self.budget.reached(self.value, self.gap) and self.stuck < PATIENCE // 4:
            return False
        if not self.proven:
            self.prove(exact=True)
        return self.budget.reached(self.value, self.gap)

    def stalled(self, measure: float) -> bool:
        """Note how far there is to go; where that does not fall, models are solved better, until nothing helps."""
        self.stuck = 0 if measure < 0.9 * self.best else self.stuck + 1
        self.precision = max(self.precision * 0.3, 1e-6) if self.stuck else self.precision
        self.best = min(self.best, measure)
        return self.stuck >= PATIENCE

    def move(self, delta: ndarray) -> float:
        """Go along δ and answer the part of it that was gone."""
        step, self.theta, self.smooth, self.g = take(
            self.objective, self.penalty, self.theta, self.smooth, self.g, delta
        )
        self.gap, self.proven = np.inf, False
        return step

    def record(self, step: float) -> bool:
        """Note an iteration; whether the callback asks to stop."""
        largest = float(self.penalty.excess(self.g[: self.objective.data.d]).max(initial=0.0))
        passes, seconds = self.objective.evaluations + self.objective.products, time.perf_counter() - self.began
        self.history.append(Record(self.value, largest, step, passes, seconds))
        return self.budget.stops(self.history[-1])

    def answer(self, status: Status) -> tuple[ndarray, ndarray, FitResult]:
        """W, b and the certificate."""
        if not self.proven:
            self.prove(exact=True)
        gap = float(self.gap)
        objective, value, d = self.objective, self.value, self.objective.data.d
        seconds, passes = time.perf_counter() - self.began, objective.evaluations + objective.products
        kept = int(np.count_nonzero(np.any(self.theta[:d] != 0, axis=1)))
        notes = [f"{kept} of {d} columns have a coefficient"]
        result = FitResult(status, max(value, gap), gap, self.history, passes, seconds, self.fallbacks, notes)
        return *objective.design.weights(self.theta), result


def frame(problem: Problem) -> tuple[ndarray, ndarray]:
    """Shift and scale: large sparse data are not shifted, and columns of a group share a scale."""
    shift, scale = problem.data.shift_and_scale()
    for group in problem.penalty.groups:
        scale[group] = np.exp2(np.round(np.log2(scale[group]).mean()))
    return (shift if dense(problem.data) else np.zeros_like(shift)), scale


def dense(data: Any) -> bool:
    """Whether columns of a working set are held dense and centred: small sparse data gain from that too."""
    return not data.sparse or data.n * data.d <= 4_000_000


def take(objective: Objective, penalty: Penalty, theta: ndarray, smooth: float, g: ndarray, delta: ndarray):
    """Step 1, or the first half, quarter … that lowers the whole objective enough.

    Returns:
        the step, the new θ, F and its gradient there; step 0 if none does.
    """
    before = penalty.kinks(theta)
    noise = 8 * np.finfo(float).eps * abs(smooth + before)

    def promised(part: float) -> float:
        return float(np.sum(g * delta)) * part + penalty.kinks(theta + part * delta) - before

    new = theta + delta
    value, slope = objective.evaluate(new)
    if np.isfinite(value) and value + penalty.kinks(new) <= smooth + before + 0.01 * promised(1.0) + noise:
        return 1.0, new, value, slope
    # the change is taken from θ, whose numbers are small, not from where the step would end, where they may be huge
    whole, step = 1.0, 1.0
    while True:
        value, slope = objective.evaluate(theta)
        if np.all(np.isfinite(objective.D)):
            break
        whole, step = 0.01 * whole, 0.02 * whole
        if whole < 1e-30:
            return 0.0, theta, value, slope
        objective.evaluate(theta + whole * delta)
    # D leads from the end of the step to θ
    for _ in range(60):
        step *= 0.5
        change = objective.along(-step / whole, theta, -whole * delta)[0]
        trial = theta + step * delta
        if np.isfinite(change) and change + penalty.kinks(trial) - before <= 0.01 * promised(step):
            end, slope = objective.evaluate(trial)
            if np.isfinite(end):
                return step, trial, end, slope
            objective.evaluate(theta)
            objective.evaluate(theta + whole * delta)
            objective.evaluate(theta)
    value, slope = objective.evaluate(theta)
    return 0.0, theta, value, slope
