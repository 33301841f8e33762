"""Smooth objectives: preconditioned L-BFGS, then Newton, on a ladder that climbs by itself to a certificate."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy import ndarray

from . import certificate
from .certificate import Factor, Floor
from .curvature import gram_of
from .kernels import blocks
from .objective import Objective
from .result import FitResult, Record, Status
from .search import take

MEMORY = 10
LONG = 10_000
"""Unknowns from which L-BFGS keeps its pairs in float32: twenty such vectors are most of its memory."""
NEWTON_AT_ONCE = 5e6
"""Multiplications of one Hessian below which nothing is gained by less than Newton."""
NEWTON_AT_MOST = 2e10
ROUGH_FROM = 200
"""Unknowns from which Hessians are formed in float32 at first."""
PATIENCE = 80
"""Iterations of L-BFGS before a stronger method is tried."""


@dataclass
class Run:
    """What the rungs of the ladder share."""

    objective: Objective
    tol: float
    max_iter: int
    callback: Callable[[Record], bool | None] | None
    theta: ndarray
    began: float = field(default_factory=time.perf_counter)
    history: list[Record] = field(default_factory=list)
    ladder: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    value: float = np.inf
    g: ndarray | None = None
    first: float = np.inf
    gap: float = np.inf
    metric: Metric | None = None
    pairs: deque = field(default_factory=lambda: deque(maxlen=MEMORY))
    """Steps and changes of the gradient of L-BFGS, which precondition conjugate gradients too."""

    def evaluate(self) -> None:
        self.value, self.g = self.objective.evaluate(self.theta)
        self.first = max(self.value, 0.0) if not np.isfinite(self.first) else self.first

    def record(self, step: float) -> bool:
        """Note an iteration; whether the callback asks to stop."""
        now = time.perf_counter() - self.began
        count = self.objective.evaluations + self.objective.products
        self.history.append(Record(self.value, float(np.abs(self.g).max(initial=0.0)), step, count, now))
        return self.callback is not None and bool(self.callback(self.history[-1]))

    def met(self, gap: float) -> bool:
        """Whether a gap is within tol of the optimum, or as near as numbers of this size can tell."""
        return gap <= self.tol * max(self.value - gap, 0.0) or gap <= np.finfo(float).eps * self.first

    def answer(self, status: Status) -> FitResult:
        count = self.objective.evaluations + self.objective.products
        seconds = time.perf_counter() - self.began
        gap = min(self.gap, max(self.value, 0.0))
        return FitResult(status, self.value, gap, self.history, count, seconds, self.ladder, self.notes)


def minimize(
    objective: Objective, theta: ndarray, tol: float, max_iter: int, callback=None
) -> tuple[ndarray, FitResult]:
    """The minimum of F from θ.

    Args:
        objective: F.
        theta: start, shape (d + 1, K) or (d, K).
        tol: bound of (F − F*) / F*.
        max_iter: iterations of all rungs together.
        callback: called with each ``Record``; true stops the fit.

    Returns:
        θ and the certificate.
    """
    run = Run(objective, tol, max_iter, callback, theta)
    rows, size = objective.rows, objective.p * objective.K
    cost = rows * size**2
    small = cost <= NEWTON_AT_ONCE or (rows <= 10 * size and cost <= 5e9 and size <= 3000)
    try:
        if not small:
            status = _lbfgs(run)
            if status is not None:
                return _end(run, status)
        objective.use(np.float64)
        run.evaluate()
        status = _newton(run) if cost <= NEWTON_AT_MOST and size <= 3000 else _newton_cg(run)
    except KeyboardInterrupt:
        status = Status.interrupted
    return _end(run, status)


def _end(run: Run, status: Status) -> tuple[ndarray, FitResult]:
    if not np.isfinite(run.gap):
        if run.objective.compute != np.float64 or run.g is None:
            run.objective.use(np.float64)
            run.evaluate()
        run.gap = certificate.fallback(run.objective, run.value, run.g)
    return run.theta, run.answer(status)


def separated(run: Run) -> bool:
    """Whether nothing is penalised and every row is on its right side, so that F can be brought to zero."""
    objective = run.objective
    if (
        objective.loss.name not in ("logistic", "softmax")
        or np.any(objective.ridge > 0)
        or objective.offset is not None
    ):
        return False
    if run.value > 0.5 * run.first:
        return False
    Z, y = objective.Z, objective.y
    if objective.K == 1:
        wrong = (2.0 * y - 1.0) * Z[:, 0] <= 0
    else:
        row, label = np.arange(len(Z)), y.astype(np.intp)
        own = Z[row, label]
        others = Z.copy()
        others[row, label] = -np.inf
        wrong = own <= others.max(1)
    if objective.s is not None:
        wrong = wrong & (objective.s > 0)
    return float(objective.data.sum(np.array([float(wrong.sum())]))[0]) == 0.0


class Metric:
    """A preconditioner near the Hessian, the same for every class: a Gram matrix of sampled rows, or a diagonal."""

    def __init__(self, objective: Objective):
        self.objective = objective
        self.dense = (objective.p <= 4096 and not objective.data.sparse) or objective.p <= 512
        self.rows = objective.data.sample() if self.dense else None
        self.renew(first=True)

    def renew(self, first: bool = False) -> None:
        """Weigh the rows by their curvature at the predictions Z."""
        objective = self.objective
        K = objective.K
        typical = objective.loss.curvature if K == 1 else (1.0 - 1.0 / K) / K
        if not self.dense:
            h = typical if first else max(self._mean(objective), 1e-6 * typical)
            self.diagonal = h + objective.ridge
            return
        rows, places = self.rows
        weight = np.full(len(rows), 1.0) if objective.s is None else objective.s[places] * objective.rows
        h = np.full(len(rows), typical) * weight if first else self._curvature(places) * objective.rows
        packed = objective.data.sum(np.append(gram_of(objective, rows, h).ravel(), float(len(rows))))
        H = packed[:-1].reshape(objective.p, objective.p) / packed[-1]
        H[np.diag_indices_from(H)] += objective.ridge[:, 0]
        self.factor = Factor.of(H, 1e-12)

    def _curvature(self, at) -> ndarray:
        objective = self.objective
        h = objective.curvatures(at)
        if objective.K == 1:
            return h[:, 0]
        s = objective.unit if objective.s is None else np.maximum(objective.s[at], 1e-300)
        p = h / (s if np.isscalar(s) else s[:, None])
        return (p * (1 - p)).mean(1) * s

    def _mean(self, objective: Objective) -> float:
        own = sum(float(self._curvature(at).sum()) for at in blocks(objective.data.n, 4096))
        return float(objective.data.sum(np.array([own]))[0])

    def solve(self, g: ndarray) -> ndarray:
        return self.factor.solve(g) if self.dense else g / self.diagonal


def _lbfgs(run: Run) -> Status | None:
    """L-BFGS until the decrement says that tol is reached; None to go on with Newton."""
    objective = run.objective
    run.evaluate()
    metric = run.metric = Metric(objective)
    pairs, kept = run.pairs, np.float32 if run.theta.size >= LONG else np.float64
    gamma, best, stale = 1.0, np.inf, 0
    for iteration in range(run.max_iter):
        if iteration in (4, 12, 30) and objective.loss.shape != "quadratic":
            metric.renew()
            gamma = 1.0
        d = _direction(run.g, metric, pairs, gamma)
        slope = float(np.sum(run.g * d))
        if not slope < 0:
            pairs.clear()
            d = -metric.solve(run.g)
            slope = float(np.sum(run.g * d))
        if not slope < 0 or run.met(-slope * 0.5 * 3.0):
            return _precise(run)
        stale = stale + 1 if -slope >= 0.5 * best else 0
        best = min(best, -slope)
        if iteration >= PATIENCE or stale >= 25:
            run.ladder.append("L-BFGS is slow here: Newton's method")
            return _precise(run)
        before, g_before = run.theta, run.g
        step, run.theta, run.value, g = take(objective, run.theta, run.value, d, slope)
        if step == 0.0:
            if pairs:
                pairs.clear()
                run.ladder.append("no step along the L-BFGS direction: restart")
                run.evaluate()
                continue
            if objective.compute == np.float32:
                run.ladder.append("float32 predictions are at their limit: float64 predictions")
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
            scaled = float(np.sum(y * metric.solve(y)))
            pairs.append((s.astype(kept), y.astype(kept), sy))
            gamma = sy / scaled if scaled > 0 else 1.0
    return Status.max_iter


def _precise(run: Run) -> None:
    if run.objective.compute == np.float32:
        run.ladder.append("float64 predictions for the last digits and the certificate")


def _direction(g: ndarray, metric: Metric, pairs, gamma: float) -> ndarray:
    """−H g by the two-loop recursion, from γ M⁻¹."""
    q, kept = g.copy(), []
    for s, y, sy in reversed(pairs):
        a = float(np.sum(s * q)) / sy
        kept.append(a)
        q -= a * y
    q = gamma * metric.solve(q)
    for (s, y, sy), a in zip(pairs, reversed(kept)):
        q += (a - float(np.sum(y * q)) / sy) * s
    return -q


def _newton(run: Run) -> Status:
    """Newton with the whole Hessian until the certificate meets tol.

    Large Hessians are formed in float32 at first, where they precondition a few products with the true one; the last
    is in double, and the certificate rests on it.
    """
    objective, damping, best = run.objective, 0.0, np.inf
    rough = objective.p * objective.K >= ROUGH_FROM
    while True:
        if separated(run):
            return Status.separated
        run.gap = certificate.fallback(objective, run.value, run.g)
        if run.met(run.gap):
            return Status.converged
        if rough:
            factor = Factor.of(objective.hessian(dtype=np.float32), max(damping, 1e-6), np.float32)
            d = -_refined(objective, run.g, factor)
        else:
            factor = (
                certificate.below(lambda dtype: objective.hessian(dtype=dtype), objective, damping)
                if objective.K == 1
                else Factor.of(objective.hessian(), damping)
            )
            if factor.damping > 1e-9 and "Hessian damped" not in "".join(run.ladder):
                run.ladder.append(
                    "the Hessian is singular to rounding (collinear columns or flat losses): Hessian damped"
                )
            d = -factor.solve(run.g.T.ravel()).reshape(objective.K, objective.p).T
        slope = float(np.sum(run.g * d))
        if rough and (not slope < 0 or run.met(-slope)):
            rough = False
            continue
        if not rough and (0.5 * -slope <= 30 * run.tol * max(run.value, 0.0) or run.met(-0.5 * slope)):
            run.gap = certificate.dense(objective, run.value, run.g, factor)
            if run.met(run.gap):
                return Status.converged
        if not slope < 0:
            return Status.float_limit
        if len(run.history) >= run.max_iter:
            return Status.max_iter
        if -slope <= 1e-15 * abs(run.value) and -slope > 0.25 * best:
            return Status.float_limit
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
            run.ladder.append(f"no step along Newton's direction: damping {damping:.0e}")
            run.evaluate()
            continue
        damping = damping * 0.1 if step > 0.5 and damping > 1e-10 else 0.0 if damping <= 1e-10 else damping
        run.g = g
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


def _newton_cg(run: Run) -> Status:
    """Newton with conjugate gradients, in double; what they leave undone is bounded, so that the certificate holds."""
    objective = run.objective
    metric = run.metric or Metric(objective)
    best, tight = np.inf, 0.3
    while True:
        if separated(run):
            return Status.separated
        metric.renew()
        wide = objective.p > 2000 or (objective.data.sparse and objective.p > 300)
        floor = Floor.of(objective, whole=not wide)
        x, decrement = _conjugate_gradients(run, metric, floor, tight)
        slope = -float(np.sum(run.g * x))
        run.gap = certificate.fallback(objective, run.value, run.g)
        if objective.loss.shape == "quadratic":
            run.gap = min(run.gap, 0.5 * decrement)
        elif objective.loss.shape == "exponential":
            run.gap = min(run.gap, floor.bound(objective, decrement))
        if run.met(run.gap):
            return Status.converged
        if len(run.history) >= run.max_iter:
            return Status.max_iter
        if not slope < 0 or (-slope <= 1e-15 * abs(run.value) and -slope > 0.25 * best):
            return Status.float_limit
        best = min(best, -slope)
        step, run.theta, run.value, g = take(objective, run.theta, run.value, -x, slope)
        if step == 0.0:
            if -slope <= 1e-13 * abs(run.value):
                return Status.float_limit
            return Status.line_search
        run.g = g
        if run.record(step):
            return Status.interrupted


def _conjugate_gradients(run: Run, metric: Metric, floor: Floor, tight: float) -> tuple[ndarray, float]:
    """x near H⁻¹ g, and an upper bound of gᵀ H⁻¹ g = 2 gᵀx − xᵀHx + rᵀH⁻¹r with r = g − H x."""
    objective, g = run.objective, run.g
    x, r, bound = np.zeros_like(g), g.copy(), np.inf
    z = -_direction(r, metric, run.pairs, 1.0)
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
        rest = certificate.remainder(objective, floor, r)
        bound = min(bound, known + rest)
        if rest <= tight * known or (np.isinf(floor.rho) and np.sum(r * r) <= 1e-4 * np.sum(g * g)):
            break
        z = -_direction(r, metric, run.pairs, 1.0)
        before, rz = rz, float(np.sum(r * z))
        # far from the optimum a rough direction does; the certificate is not yet within reach
        if 0.5 * known > 3 * run.tol * max(run.value, 0.0) and rz <= 0.03 * known:
            break
        d = z + (rz / before) * d
    return x, bound
