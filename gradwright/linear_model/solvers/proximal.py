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
from gradwright.linear_model.certificate.dual_of_penalty import lower_bound
from gradwright.linear_model.losses import Penalty
from gradwright.linear_model.objective import Objective, Problem
from gradwright.linear_model.solvers.budget import Budget

PATIENCE = 12
"""Iterations in a row that gain too little, after which rounding is what stops a fit."""


@dataclass
class ProximalRun:
    """A fit in progress: θ with its value, slopes and lower bound, and how well its models are solved.

    ``penalty`` is in the coordinates of θ; ``smooth`` and ``g`` are F and its gradient, without the kinks.
    """

    objective: Objective
    penalty: Penalty
    budget: Budget
    theta: ndarray
    began: float
    smooth: float = np.inf
    g: ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    first: float = np.inf
    lower: float = -np.inf
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
        run.first = run.value
        return run

    @property
    def value(self) -> float:
        """F with the kinks."""
        return self.smooth + self.penalty.kinks(self.theta)

    @property
    def gap(self) -> float:
        """How far the value may be above the minimum."""
        return self.value - self.lower

    def prove(self) -> None:
        """Raise the lower bound by the slopes at θ."""
        self.lower = max(self.lower, lower_bound(self.objective, self.penalty))

    def met(self) -> bool:
        """Whether the gap is within tol, or as small as numbers of this size can tell."""
        value = self.value
        gap = value - self.lower
        return self.budget.reached(value, gap) or bool(gap <= 4 * np.finfo(float).eps * self.first)

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
        return step

    def record(self, step: float) -> bool:
        """Note an iteration; whether the callback asks to stop."""
        largest = float(self.penalty.excess(self.g[: self.objective.data.d]).max(initial=0.0))
        passes, seconds = self.objective.evaluations + self.objective.products, time.perf_counter() - self.began
        self.history.append(Record(self.value, largest, step, passes, seconds))
        return self.budget.stops(self.history[-1])

    def answer(self, status: Status) -> tuple[ndarray, ndarray, FitResult]:
        """W, b and the certificate."""
        if not np.isfinite(self.lower):
            self.prove()
        objective, value, d = self.objective, self.value, self.objective.data.d
        seconds, passes = time.perf_counter() - self.began, objective.evaluations + objective.products
        bound = max(min(value - self.lower, value), 0.0)
        kept = int(np.count_nonzero(np.any(self.theta[:d] != 0, axis=1)))
        notes = [f"{kept} of {d} columns have a coefficient"]
        result = FitResult(status, value, bound, self.history, passes, seconds, self.fallbacks, notes)
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
    promised = float(np.sum(g * delta)) + penalty.kinks(theta + delta) - before
    new = theta + delta
    value, slope = objective.evaluate(new)
    noise = 8 * np.finfo(float).eps * abs(smooth + before)
    if np.isfinite(value) and value + penalty.kinks(new) <= smooth + before + 0.01 * promised + noise:
        return 1.0, new, value, slope
    step, start = 1.0, objective.along(-1.0, new, delta)[0]
    for _ in range(40):
        step *= 0.5
        change = objective.along(step - 1.0, new, delta)[0] - start
        trial = theta + step * delta
        if np.isfinite(change) and change + penalty.kinks(trial) - before <= 0.01 * step * promised:
            value, slope = objective.evaluate(trial)
            if np.isfinite(value):
                return step, trial, value, slope
    value, slope = objective.evaluate(theta)
    return 0.0, theta, value, slope
