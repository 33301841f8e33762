"""Who takes part: our methods and SciPy's, on the same problem, counted in the same way."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch

import gradwright.solvers
from solvers.bridge import as_torch
from solvers.problems import Problem

EVALUATIONS = 3000


@dataclass
class Outcome:
    """What one run gave.

    Attributes:
        value, gradient: f and ‖∇f‖ (with bounds ‖P(x − g) − x‖) at the point returned, evaluated anew.
        evaluations, products: counted by the problem's wrapper, for everyone.
        success, status: as the solver says.
        seconds: of processor time.
    """

    value: float
    gradient: float
    evaluations: int
    products: int
    success: bool
    status: str
    seconds: float


class Spent(Exception):
    """The evaluations or the time of a run are used up."""


class Counted:
    """A problem that counts, remembers its lowest finite point, and stops at the limits."""

    def __init__(self, problem: Problem, seconds: float) -> None:
        self.problem, self.seconds, self.started = problem, seconds, time.process_time()
        self.evaluations = self.products = 0
        self.last: tuple[bytes, float, np.ndarray] | None = None
        self.lowest: tuple[float, np.ndarray] | None = None

    def __getattr__(self, name):
        return getattr(self.problem, name)

    def _spend(self) -> None:
        if self.evaluations + self.products >= 10 * EVALUATIONS or time.process_time() - self.started > self.seconds:
            raise Spent

    def value_and_gradient(self, x):
        key = np.asarray(x, self.problem.dtype).tobytes()
        if self.last is None or self.last[0] != key:
            self._spend()
            if self.evaluations >= EVALUATIONS:
                raise Spent
            self.evaluations += 1
            self.last = (key, *self.problem.value_and_gradient(x))
            if np.isfinite(self.last[1]) and (self.lowest is None or self.last[1] < self.lowest[0]):
                self.lowest = self.last[1], np.array(x)
        return self.last[1:]

    def product(self, x, v):
        self._spend()
        self.products += 1
        return self.problem.product(x, v)


def ours(method: str, **options) -> Callable[[Counted], tuple[np.ndarray, bool, str]]:
    def run(problem: Counted):
        bounds = None
        if problem.lower is not None:
            bounds = tuple(torch.from_numpy(np.array(side)) for side in (problem.lower, problem.upper))
        result = gradwright.solvers.minimize(
            as_torch(problem),
            torch.from_numpy(np.array(problem.x0)),
            method,
            bounds=bounds,
            gtol=1e-6,
            maxiter=EVALUATIONS,
            maxfev=EVALUATIONS,
            options=options,
        )
        return result.x.numpy(), result.success, result.status.name

    return run


def scipys(method: str, **options) -> Callable[[Counted], tuple[np.ndarray, bool, str]]:
    def run(problem: Counted):
        extra = {"options": {"maxiter": EVALUATIONS, **options}}
        if method.startswith("trust") or method == "Newton-CG":
            extra["hessp"] = lambda x, v: problem.product(x, v).astype(float)
        if problem.lower is not None:
            extra["bounds"] = scipy.optimize.Bounds(problem.lower.astype(float), problem.upper.astype(float))

        def both(x):
            value, slope = problem.value_and_gradient(x)
            return value, slope.astype(float)

        found = scipy.optimize.minimize(both, problem.x0.astype(float), jac=True, method=method, **extra)
        return found.x, bool(found.success), str(found.message)[:60]

    return run


CONTENDERS = {
    "unconstrained": {
        "auto": ours("auto"),
        "trust-ncg": ours("trust-ncg"),
        "trust-ncg jacobi": ours("trust-ncg", precondition="jacobi"),
        "newton-cg": ours("newton-cg"),
        "bfgs": ours("bfgs"),
        "l-bfgs": ours("l-bfgs"),
        "nonlinear-cg": ours("nonlinear-cg"),
        "scipy BFGS": scipys("BFGS", gtol=1e-6),
        "scipy trust-ncg": scipys("trust-ncg", gtol=1e-6),
        "scipy trust-krylov": scipys("trust-krylov", gtol=1e-6),
        "scipy L-BFGS-B": scipys("L-BFGS-B", gtol=1e-6, ftol=1e-15, maxfun=EVALUATIONS),
    },
    "bounded": {
        "l-bfgs-b": ours("l-bfgs-b"),
        "scipy L-BFGS-B": scipys("L-BFGS-B", gtol=1e-6, ftol=1e-15, maxfun=EVALUATIONS),
    },
}


def run(problem: Problem, contender: Callable, seconds: float) -> Outcome:
    """One run; a solver that breaks off is judged by the lowest point that it evaluated."""
    counted = Counted(problem, seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            x, success, status = contender(counted)
        except Spent:
            x, success, status = (counted.lowest or (0, problem.x0))[1], False, "limit"
        except Exception as error:
            x, success, status = (counted.lowest or (0, problem.x0))[1], False, f"{type(error).__name__}: {error}"[:120]
    used = time.process_time() - counted.started
    value, slope = problem.value_and_gradient(x)
    if problem.lower is not None:
        slope = np.clip(x - slope, problem.lower, problem.upper) - x
        if not ((problem.lower <= x) & (x <= problem.upper)).all():
            value = float("inf")
    gradient = float(np.linalg.norm(np.asarray(slope, float)))
    return Outcome(float(value), gradient, counted.evaluations, counted.products, success, status, round(used, 2))
