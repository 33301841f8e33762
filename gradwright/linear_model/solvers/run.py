"""Run: what the stages of a smooth fit share, from its history to the gap that is proven."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.objective import Objective
from gradwright.linear_model.solvers.budget import Budget
from gradwright.linear_model.solvers.preconditioner import Preconditioner

MEMORY = 10
"""Pairs that L-BFGS keeps."""


@dataclass
class Run:
    """What L-BFGS and both kinds of Newton share, and hand on to each other."""

    objective: Objective
    budget: Budget
    theta: ndarray
    began: float = field(default_factory=time.perf_counter)
    history: list[Record] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    value: float = np.inf
    g: ndarray | None = None
    first: float = np.inf
    gap: float = np.inf
    preconditioner: Preconditioner | None = None
    pairs: deque = field(default_factory=lambda: deque(maxlen=MEMORY))
    """Steps and changes of the gradient of L-BFGS, which precondition conjugate gradients too."""

    def evaluate(self) -> None:
        """F and its gradient at θ."""
        self.value, self.g = self.objective.evaluate(self.theta)
        self.first = max(self.value, 0.0) if not np.isfinite(self.first) else self.first

    def record(self, step: float) -> bool:
        """Note an iteration; whether the callback asks to stop."""
        now = time.perf_counter() - self.began
        count = self.objective.evaluations + self.objective.products
        self.history.append(Record(self.value, float(np.abs(self.g).max(initial=0.0)), step, count, now))
        return self.budget.stops(self.history[-1])

    def met(self, gap: float) -> bool:
        """Whether a gap is within tol of the optimum."""
        return self.budget.reached(self.value, gap)

    def answer(self, status: Status) -> FitResult:
        """The certificate of a fit that ends so."""
        count = self.objective.evaluations + self.objective.products
        seconds = time.perf_counter() - self.began
        # where nothing but F ≥ 0 is known, what rounding may have taken from F counts in both
        value = max(self.value, self.gap) if np.isfinite(self.gap) else self.value
        return FitResult(
            status, float(value), float(self.gap), self.history, count, seconds, self.fallbacks, self.notes
        )
