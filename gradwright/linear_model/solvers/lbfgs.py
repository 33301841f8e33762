"""Preconditioned L-BFGS, until the decrement says that the tolerance is within reach."""

from __future__ import annotations

import numpy as np

from gradwright.linear_model.certificate import Status
from gradwright.linear_model.solvers.line_search import take
from gradwright.linear_model.solvers.preconditioner import Preconditioner, direction
from gradwright.linear_model.solvers.recession import separated
from gradwright.linear_model.solvers.run import Run

LONG = 10_000
"""Unknowns from which L-BFGS keeps its pairs in float32: twenty such vectors are most of its memory."""
PATIENCE = 80
"""Iterations of L-BFGS before a stronger method is tried."""


def lbfgs(run: Run) -> Status | None:
    """L-BFGS until the decrement says that tol is reached; None to go on with Newton."""
    objective = run.objective
    run.evaluate()
    preconditioner = run.preconditioner = Preconditioner(objective)
    pairs, kept = run.pairs, np.float32 if run.theta.size >= LONG else np.float64
    gamma, best, stale = 1.0, np.inf, 0
    for iteration in range(run.budget.max_iter):
        if iteration in (4, 12, 30) and objective.loss.shape != "quadratic":
            preconditioner.renew()
            gamma = 1.0
        d = direction(run.g, preconditioner, pairs, gamma)
        slope = float(np.sum(run.g * d))
        if not slope < 0:
            pairs.clear()
            d = -preconditioner.solve(run.g)
            slope = float(np.sum(run.g * d))
        if not slope < 0 or run.met(-slope * 0.5 * 3.0):
            return _precise(run)
        stale = stale + 1 if -slope >= 0.5 * best else 0
        best = min(best, -slope)
        if iteration >= PATIENCE or stale >= 25:
            run.fallbacks.append("L-BFGS is slow here: Newton's method")
            return _precise(run)
        before, g_before = run.theta, run.g
        step, run.theta, run.value, g = take(objective, run.theta, run.value, d, slope)
        if step == 0.0:
            if pairs:
                pairs.clear()
                run.fallbacks.append("no step along the L-BFGS direction: restart")
                run.evaluate()
                continue
            if objective.compute == np.float32:
                run.fallbacks.append("float32 predictions are at their limit: float64 predictions")
                objective.use(np.float64)
                run.evaluate()
                continue
            return _precise(run)
        run.g = g
        if run.record(step):
            return Status.interrupted
        if separated(run):
            return Status.separated
        s, y = run.theta - before, run.g - g_before
        sy = float(np.sum(s * y))
        if sy > 1e-12 * float(np.sqrt(np.sum(s * s) * np.sum(y * y))):
            scaled = float(np.sum(y * preconditioner.solve(y)))
            pairs.append((s.astype(kept), y.astype(kept), sy))
            gamma = sy / scaled if scaled > 0 else 1.0
    return Status.max_iter


def _precise(run: Run) -> None:
    if run.objective.compute == np.float32:
        run.fallbacks.append("float64 predictions for the last digits and the certificate")
