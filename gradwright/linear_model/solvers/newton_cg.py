"""Newton's method with conjugate gradients, for Hessians too large to form."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import Floor, Status
from gradwright.linear_model.solvers.line_search import take
from gradwright.linear_model.solvers.preconditioner import Preconditioner, direction
from gradwright.linear_model.solvers.recession import separated
from gradwright.linear_model.solvers.run import Run


def newton_cg(run: Run) -> Status:
    """Newton with conjugate gradients, in double; what they leave undone is bounded, so that the certificate holds."""
    objective = run.objective
    preconditioner = run.preconditioner or Preconditioner(objective)
    best, tight = np.inf, 0.3
    while True:
        if separated(run):
            return Status.separated
        preconditioner.renew()
        wide = objective.p > 2000 or (objective.data.sparse and objective.p > 300)
        floor = Floor.of(objective, whole=not wide)
        x, decrement = _conjugate_gradients(run, preconditioner, floor, tight)
        slope = -float(np.sum(run.g * x))
        last = len(run.history) >= run.budget.max_iter
        if last or run.met(0.5 * decrement):
            run.gap, exhausted = floor.bound(objective, run.value, run.theta, run.g, x)
            if run.met(run.gap):
                return Status.converged
            if exhausted and not last:
                return Status.float_limit
        if last:
            return Status.max_iter
        if not slope < 0 or (-slope <= 1e-15 * abs(run.value) and -slope > 0.25 * best):
            return Status.float_limit
        best = min(best, -slope)
        step, run.theta, run.value, g = take(objective, run.theta, run.value, -x, slope)
        if step == 0.0:
            if -slope <= 1e-13 * abs(run.value):
                return Status.float_limit
            return Status.line_search
        run.g, run.gap = g, np.inf
        if run.record(step):
            return Status.interrupted


def _conjugate_gradients(run: Run, preconditioner: Preconditioner, floor: Floor, tight: float) -> tuple[ndarray, float]:
    """x near H⁻¹ g, and an upper bound of gᵀ H⁻¹ g = 2 gᵀx − xᵀHx + rᵀH⁻¹r with r = g − H x."""
    objective, g = run.objective, run.g
    x, r, bound = np.zeros_like(g), g.copy(), np.inf
    z = -direction(r, preconditioner, run.pairs, 1.0)
    d, rz = z.copy(), float(np.sum(r * z))
    for _ in range(200):
        if not rz > 0:
            break
        Hd = objective.product(d)
        a = rz / float(np.sum(d * Hd))
        if not np.isfinite(a):
            break
        x, r = x + a * d, r - a * Hd
        known = float(np.sum(g * x) + np.sum(r * x))
        rest = floor.remainder(objective, r)
        bound = min(bound, known + rest)
        if rest <= tight * known or (np.isinf(floor.rho) and np.sum(r * r) <= 1e-4 * np.sum(g * g)):
            break
        z = -direction(r, preconditioner, run.pairs, 1.0)
        before, rz = rz, float(np.sum(r * z))
        # far from the optimum a rough direction does; the certificate is not yet within reach
        if 0.5 * known > 3 * run.budget.tol * max(run.value, 0.0) and rz <= 0.03 * known:
            break
        d = z + (rz / before) * d
    return x, bound
