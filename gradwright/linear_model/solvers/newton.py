"""Newton's method with the whole Hessian, until the certificate meets the tolerance."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import Factor, Status, bounds
from gradwright.linear_model.objective import Objective
from gradwright.linear_model.solvers.line_search import take
from gradwright.linear_model.solvers.recession import recedes, separated
from gradwright.linear_model.solvers.run import Run

ROUGH_FROM = 200
"""Unknowns from which Hessians are formed in float32 at first."""


def newton(run: Run) -> Status:
    """Newton with the whole Hessian until the certificate meets tol.

    Large Hessians are formed in float32 at first, where they precondition a few products with the true one; the last
    is in double, and the certificate rests on it.
    """
    objective, damping, best = run.objective, 0.0, np.inf
    rough = objective.p * objective.K >= ROUGH_FROM
    while True:
        if separated(run):
            return Status.separated
        run.gap = bounds.fallback(objective, run.value, run.g, run.theta)
        if run.met(run.gap):
            return Status.converged
        if rough:
            factor = Factor.of(objective.hessian(dtype=np.float32), max(damping, 1e-6), np.float32)
            d = -_refined(objective, run.g, factor)
        else:
            H, factor = None, None
            if objective.K == 1 and damping == 0:
                factor = Factor.below(lambda dtype: objective.hessian(dtype=dtype), objective.design)
            if factor is None:
                H = objective.hessian()
                factor = Factor.of(H, damping)
            if factor.damping > 1e-9 and "Hessian damped" not in "".join(run.fallbacks):
                run.fallbacks.append(
                    "the Hessian is singular to rounding (collinear columns or flat losses): Hessian damped"
                )
            d = -factor.solve(run.g.T.ravel()).reshape(objective.K, objective.p).T
        slope = float(np.sum(run.g * d))
        if rough and (not slope < 0 or run.met(-slope)):
            rough = False
            continue
        if not rough and (0.5 * -slope <= 30 * run.budget.tol * max(run.value, 0.0) or run.met(-0.5 * slope)):
            run.gap, exhausted = bounds.dense(objective, run.value, run.g, run.theta, factor, H)
            recession = recedes(run, d)
            if recession:
                return Status.separated
            if run.met(run.gap) and recession is False:
                return Status.converged
            if exhausted and -slope <= 1e-12 * abs(run.value) and -slope > 0.25 * best:
                return Status.float_limit
        if not slope < 0:
            return Status.converged if run.met(run.gap) else Status.float_limit
        if len(run.history) >= run.budget.max_iter:
            return Status.max_iter
        if -slope <= 1e-15 * abs(run.value) and -slope > 0.25 * best:
            return Status.converged if run.met(run.gap) else Status.float_limit
        best = min(best, -slope)
        step, run.theta, run.value, g = take(objective, run.theta, run.value, d, slope)
        if step == 0.0 and rough:
            rough = False
            run.evaluate()
            continue
        if step == 0.0:
            if -slope <= 1e-13 * abs(run.value):
                return Status.float_limit
            if damping > 1.0:
                return Status.line_search
            damping = max(1e-8, damping * 1e3)
            run.fallbacks.append(f"no step along Newton's direction: damping {damping:.0e}")
            run.evaluate()
            continue
        damping = damping * 0.1 if step > 0.5 and damping > 1e-10 else 0.0 if damping <= 1e-10 else damping
        run.g, run.gap = g, np.inf
        if run.record(step):
            return Status.interrupted


def _refined(objective: Objective, g: ndarray, factor: Factor) -> ndarray:
    """x near H⁻¹ g by conjugate gradients with products of the true H, preconditioned by a factor near it."""

    def solve(r: ndarray) -> ndarray:
        return factor.solve(r.T.ravel()).reshape(objective.K, objective.p).T

    x, r = np.zeros_like(g), g.copy()
    d = solve(r)
    first = rz = float(np.sum(r * d))
    for _ in range(10):
        Hd = objective.product(d)
        bend = float(np.sum(d * Hd))
        if not bend > 0:
            break
        x, r = x + rz / bend * d, r - rz / bend * Hd
        z = solve(r)
        before, rz = rz, float(np.sum(r * z))
        if not rz > 1e-4 * first:
            break
        d = z + rz / before * d
    return x
