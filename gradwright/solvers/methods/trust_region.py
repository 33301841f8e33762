"""Trust-region Newton with truncated conjugate gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from gradwright.solvers.curvature.preconditioners import Metric, Preconditioner, preconditioner_of
from gradwright.solvers.linear.steihaug import Path, Step, steihaug
from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.methods.saddle import escape_saddle
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.run.method import Method
from gradwright.solvers.run.monitor import Monitor
from gradwright.solvers.searches.parabola import turn

POOR = 0.25
"""Below this ρ the radius shrinks."""

QUIET = 4
"""Rejections in a row of steps whose effect on the value drowns in rounding, before the run ends."""


@dataclass(frozen=True)
class TrustRegion(Method):
    """``trust-ncg``: minimise the quadratic model inside a ball, and trust it as far as it predicted well.

    ρ = (f − f⁺ + ε) / (m(0) − m(p) + ε), with ε the rounding of f (Conn, Gould and Toint 2000, 17.4.2); p is accepted
    if ρ > ``accept``. The radius follows the length at which a parabola through f, gᵀp and f⁺ has its minimum. After a
    rejection the stored CG path is cut at the smaller radius: no product is computed twice. A trial whose value or
    gradient is not finite was too far. Where both decreases drown in the rounding of f, f − f⁺ is taken from the slopes
    at both ends of the step instead. A start with a gradient of exactly zero is left along negative curvature, if a few
    Lanczos steps find any.

    Args:
        accept: the least ρ of an accepted step.
        forcing: CG stops at ‖r‖ ≤ min(forcing, √(‖g‖ / ‖g₀‖)) ‖g‖.
        max_cg: products in one iteration at most (2n, between 20 and 1,000).
        dense: up to this many unknowns the Hessian is formed once per iterate, by n products, and CG costs none.
        precondition: a :class:`Preconditioner` or its name; the ball becomes ‖p‖_M ≤ Δ. ``"jacobi"`` rescues badly
            scaled problems in float32, for n products at each iterate.

    Reference: Steihaug, SIAM J. Numer. Anal. 20 (1983); Conn, Gould and Toint, Trust-Region Methods (2000).
    """

    needs_curvature: ClassVar[bool] = True

    accept: float = 1e-4
    forcing: float = 0.1
    max_cg: int | None = None
    dense: int = 0
    precondition: str | Preconditioner | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.accept < POOR:
            raise ValueError(f"accept={self.accept} must lie in [0, {POOR}): above, a refused step would come again")
        preconditioner_of(self.precondition)

    def solve(self, objective: Objective, start: Point, monitor: Monitor) -> Status:
        preconditioner = preconditioner_of(self.precondition)
        state = preconditioner.start() if preconditioner else None
        point, largest = start, 0.0
        radius: float | None = None
        metric: Metric | None = None
        last = torch.zeros_like(start.x)
        while True:
            status = monitor.accept(point)
            if status is Status.CONVERGED_GRADIENT and monitor.nit == 0:
                lower = escape_saddle(objective, point)
                if lower is not None:
                    point = lower
                    continue
            if status is not None:
                return status
            if objective.size <= self.dense:
                point.form_hessian()
            size = norm(point.gradient)
            largest = max(largest, size)
            if not dot(point.gradient, point.gradient) > 0:
                return monitor.floor()  # its square is out of range
            if preconditioner is not None:
                before: Metric | None = metric
                metric, state = preconditioner.at(state, point)
                if radius is not None and before is not None:  # the ball keeps its size along the last step
                    now, then = metric.length(last), before.length(last)
                    radius *= now / then if now > 0 and then > 0 else 1.0
            path = steihaug(
                point.hessian,
                point.gradient,
                radius if radius is not None else _first_radius(point, metric),
                min(self.forcing, math.sqrt(size / largest)),
                metric and metric.solve,
                self.max_cg,
                objective.eps,
            )
            radius = path.radius
            found = self._step(objective, point, path, radius, monitor)
            if isinstance(found, Status):
                return found
            last = found[0].x - point.x
            point.release()
            point, radius = found

    def _step(
        self, objective: Objective, point: Point, path: Path, radius: float, monitor: Monitor
    ) -> tuple[Point, float] | Status:
        """The next point and radius, or the status of a search that found none."""
        quiet, agrees = 0, True
        while True:
            step = path.within(radius)
            target = point.x + step.p
            if not (math.isfinite(step.length) and math.isfinite(step.reduction)):
                return monitor.blocked(step.reduction)  # products overflowed: no radius would mend that
            if torch.equal(target.to(objective.dtype), point.flat):
                return monitor.blocked(step.reduction) if agrees else Status.STALLED
            trial = objective.at(target)
            if trial.value == -math.inf:
                return Status.UNBOUNDED
            if not trial.usable:
                radius = 0.1 * step.length
                continue
            noise = objective.noise(point.value, trial.value)
            actual = point.value - trial.value
            if abs(actual) <= noise and step.reduction <= noise:
                if not agrees:
                    return Status.STALLED
                quiet += 1
                ratio = _from_slopes(point, trial, step) / step.reduction
            else:
                ratio = (actual + noise) / (step.reduction + noise)
            good = ratio > self.accept
            radius = next_radius(radius, step, ratio, turn(point.value, trial.value, dot(point.gradient, step.p)))
            if good:
                return trial, radius
            if abs(actual) > 4 * noise:
                agrees = _agree(point, trial, step, noise)
            if quiet >= QUIET:
                return monitor.floor()


def _agree(point: Point, trial: Point, step: Step, noise: float) -> bool:
    """Whether values and slopes at both ends of a step tell the same story, as they do along short steps if the
    gradient belongs to the function."""
    slopes = dot(point.gradient, step.p), dot(trial.gradient, step.p)
    apart = abs(trial.value - point.value - 0.5 * sum(slopes))
    return apart <= noise + 0.5 * max(map(abs, slopes))


def _first_radius(point: Point, metric: Metric | None) -> Callable[[float], float]:
    """The length of the Cauchy step, kept within three orders of magnitude of ‖x‖."""
    size = max(1.0, norm(point.x)) if metric is None else metric.length(point.x) or 1.0
    return lambda cauchy: min(max(cauchy, 1e-3 * size), 1e3 * size)


def _from_slopes(point: Point, trial: Point, step: Step) -> float:
    """f − f⁺ from the slopes at both ends, −½ (g + g⁺)ᵀp: good to third order, and free of the rounding of f."""
    return -0.5 * dot(point.gradient + trial.gradient, step.p)


def next_radius(radius: float, step: Step, ratio: float, turn: float) -> float:
    """Δ after a trial: to the turn of a poor step, larger after a good one that it cut off."""
    if ratio < POOR:
        return min(max(turn, 0.1), 0.5) * step.length
    if ratio > 0.75 and step.boundary:
        return (2.5 if ratio > 0.9 else 2.0) * radius
    return radius
