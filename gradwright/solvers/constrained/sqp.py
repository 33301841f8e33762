"""Sequential quadratic programming with an l1 merit function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.solvers.bounds import Bounds
from gradwright.solvers.constrained.constraints import Constrained, ConstraintSet, constraints_of
from gradwright.solvers.constrained.hessian import convexified, damped_bfgs
from gradwright.solvers.constrained.kkt import Multipliers, estimate, measure
from gradwright.solvers.constrained.subproblem import Model, Step, elastic, plain
from gradwright.solvers.constrained.watch import Watch
from gradwright.solvers.method import Method
from gradwright.solvers.objective import Objective, Point
from gradwright.solvers.result import Iteration
from gradwright.solvers.status import Status
from gradwright.solvers.vectors import dot, finite, largest_entry, norm

CTOL = {torch.float64: 1e-8, torch.float32: 1e-5}
ELASTIC = (10.0, 1e3, 1e5)
"""Weights of violations in elastic mode, in units of the largest penalty or force."""


@dataclass(frozen=True)
class Constrainable(Method):
    """A method that takes constraints.

    Args:
        constraints: see :func:`constraints_of`.
        ctol: the violation of a constraint, in its own units, that counts as none; 1e-8 in float64, 1e-5 in float32.
    """

    takes_bounds: ClassVar[bool] = True
    takes_constraints: ClassVar[bool] = True

    constraints: Any = ()
    ctol: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "constraints", constraints_of(self.constraints))
        if self.ctol is not None and not self.ctol >= 0:
            raise ValueError(f"ctol={self.ctol!r} must not be negative; 1e-8 is usual in float64, 1e-5 in float32")

    def monitor(self, objective: Objective, gtol: float, callback: Callable[[Any, Iteration], Any] | None) -> Watch:  # type: ignore[override]
        return Watch(objective, gtol, CTOL.get(objective.dtype, 1e-2) if self.ctol is None else self.ctol, callback)

    def prepared(self, objective: Objective) -> tuple[ConstraintSet, Bounds]:
        """The constraints over this objective's layout, and the box (open where there are no bounds)."""
        layout = objective.source.layout
        zero = objective.work(torch.zeros(layout.size, dtype=layout.dtype, device=layout.device))
        box = objective.box.to(zero) if objective.box is not None else Bounds(zero - math.inf, zero + math.inf)
        return ConstraintSet(self.constraints, layout, objective.work), box


@dataclass(frozen=True)
class SQP(Constrainable):
    """``sqp``: a quadratic program for each step, an l1 merit function to judge it.

    minimise ½dᵀBd + gᵀd  subject to  l ≤ c + Jd ≤ u,  lower ≤ x + d ≤ upper

    gives the step and the multipliers λ. It is taken as far as φ = f + Σ ρᵢ · violationᵢ falls enough (Armijo), with
    ρᵢ ≥ |λᵢ|. Where the full step fails although it is good, because the constraints curve away from their
    linearisation
    (Maratos), one more program with c(x + d) in place of c corrects it. Where the linearised constraints
    contradict each
    other they may be violated at a price (elastic mode); where no price makes the violation fall, the run ends as
    ``INFEASIBLE`` at the least violation found. Bounds hold at every point that is evaluated.

    Args:
        hessian: ``"exact"``, the Hessian of the Lagrangian made positive definite (see :func:`convexified`), n products
            and one pass over each constraint's second derivative an iteration; or ``"bfgs"``, Powell's damped update.
        armijo: part of the predicted fall that a step must keep.

    Reference: Nocedal and Wright, Numerical Optimization (2006), chapter 18; Powell (1978) for ρᵢ.
    """

    hessian: str = "exact"
    armijo: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hessian not in ("exact", "bfgs"):
            raise ValueError(f"hessian={self.hessian!r} is unknown; give 'exact' or 'bfgs'")

    @property
    def needs_curvature(self) -> bool:  # type: ignore[override]
        return self.hessian == "exact"

    def solve(self, objective: Objective, start: Point, monitor: Watch) -> Status:  # type: ignore[override]
        return _Run(self, objective, monitor).go(start)


@dataclass(frozen=True)
class _Place:
    """A point with its constraints."""

    point: Point
    c: Constrained

    @property
    def usable(self) -> bool:
        return self.point.usable and self.c.finite and finite(self.c.jacobian)


class _Run:
    """One run of SQP."""

    def __init__(self, rule: SQP, objective: Objective, watch: Watch) -> None:
        self.rule, self.objective, self.watch = rule, objective, watch
        self.set, self.box = rule.prepared(objective)
        self.B: Tensor | None = None
        self.fresh = True
        self.damping = 0.0
        self.failures = self.capped = 0

    def go(self, start: Point) -> Status:
        at = _Place(start, self.set.at(start.flat))
        zero = Multipliers(torch.zeros_like(at.c.value), torch.zeros_like(start.x))
        if not at.usable:
            return self._judge(at, zero) or Status.NON_FINITE
        slopes = at.c.jacobian.abs().amax(-1) if len(at.c.value) else at.c.value
        self.units = 1 / (slopes / 100).clamp(min=1.0)  # rows steeper than 100 count less in sums of violations
        self.penalties = torch.zeros_like(at.c.value)
        multipliers = estimate(start.x, start.gradient, at.c, self.box)
        status = self._judge(at, multipliers)
        while status is None:
            step = self._step(at, multipliers)
            if isinstance(step, Status):
                return step
            ahead = self._search(at, step)
            self.capped = self.capped + 1 if largest_entry(step.d) > 0.9 * self._reach(at) else 0
            if ahead is None:
                status = self._judge_here(at, step.multipliers) or self._retry()
                continue
            self.failures = 0
            multipliers = step.multipliers
            if not self.rule.needs_curvature:
                self._update(at, ahead, multipliers)
            at.point.release()
            at = ahead
            if self._falls_for_ever(at):
                self._judge(at, multipliers)
                return Status.UNBOUNDED
            status = self._judge(at, multipliers)
            if status is None and self._looks_finished(at, multipliers):
                better = estimate(at.point.x, at.point.gradient, at.c, self.box)
                status = self._judge_here(at, better)
        return status

    def _judge(self, at: _Place, multipliers: Multipliers) -> Status | None:
        m = measure(at.point.x, at.point.gradient, at.c, self.box, multipliers)
        return self.watch.accept(at.point, at.c, multipliers, m)

    def _judge_here(self, at: _Place, multipliers: Multipliers) -> Status | None:
        """Converged with these multipliers? For a point that is recorded already."""
        m = measure(at.point.x, at.point.gradient, at.c, self.box, multipliers)
        known = self.watch.current
        if known is None or known[3].stationarity > m.stationarity:
            self.watch.current = (at.point, at.c, multipliers, m)
        return Status.CONVERGED_GRADIENT if self.watch.converged(m) else None

    def _looks_finished(self, at: _Place, multipliers: Multipliers) -> bool:
        """Feasible and nearly stationary: multipliers of the last step may be all that is off."""
        m = measure(at.point.x, at.point.gradient, at.c, self.box, multipliers)
        return m.violation <= self.watch.ctol and m.stationarity <= 1e3 * self.watch.tolerance(m)

    def _falls_for_ever(self, at: _Place) -> bool:
        """Whether three steps in a row were as long as steps may be, at a feasible point far below the start."""
        feasible = largest_entry(at.c.violations) <= self.watch.ctol * max(1.0, largest_entry(at.point.x))
        return self.capped >= 3 and feasible and at.point.value < -1e6 * self.watch.scale

    def _retry(self) -> Status | None:
        """After a search that failed: start over with less trust in the curvature, or give up."""
        self.failures += 1
        if self.failures > 3:
            return self.watch.floor()
        self.B, self.fresh = None, True
        self.damping = max(100 * self.damping, 1e-2)
        return None

    def _step(self, at: _Place, multipliers: Multipliers) -> Step | Status:
        model, sigma, active = self._model(at, multipliers)
        step = plain(model)
        if step is None or largest_entry(step.d) > self._reach(at):
            model = self._capped(model, at)
            step = self._without_caps(plain(model), at)
        if step is not None:
            if sigma:
                shift = sigma * (active @ step.d)
                step = self._shifted(step, at, shift)
            worst = largest_entry(step.multipliers.rows * self._slopes(at))
            if worst <= 1e8 * max(1.0, largest_entry(at.point.gradient)):
                return step
        found = self._elastic(at, self._capped(model, at))
        if found is None:
            return step if step is not None else self.watch.floor()
        return found if isinstance(found, Status) else self._without_caps(found, at)

    def _capped(self, model: Model, at: _Place) -> Model:
        """With steps of finite length only."""
        reach = self._reach(at)
        box = Bounds(model.box.lower.clamp(min=-reach), model.box.upper.clamp(max=reach))
        return Model(model.B, model.g, model.J, model.lower, model.upper, box)

    def _without_caps(self, step: Step | None, at: _Place) -> Step | None:
        """Without multipliers at the cap on the length of a step, which is no bound of the problem."""
        if step is None:
            return None
        x, ν, reach = at.point.x, step.multipliers.bounds, self._reach(at)
        beyond = torch.where(ν > 0, self.box.upper - x, x - self.box.lower) > reach
        return Step(step.d, Multipliers(step.multipliers.rows, torch.where(beyond, 0.0, ν)), step.elastic)

    def _reach(self, at: _Place) -> float:
        """The longest step, in the largest entry: so that a flat model gives a finite one."""
        return 1e3 * max(1.0, largest_entry(at.point.x))

    def _slopes(self, at: _Place) -> Tensor:
        return at.c.jacobian.abs().amax(-1) if len(at.c.value) else at.c.value

    def _model(self, at: _Place, multipliers: Multipliers) -> tuple[Model, float, Tensor]:
        x, g, c = at.point.x, at.point.gradient, at.c
        active, self._where = self._active(at, multipliers)
        sigma = 0.0
        if self.rule.needs_curvature:
            H = at.point.hessian.dense(x)
            H = 0.5 * (H + H.T) + c.hessian(multipliers.rows)
            if not finite(H):
                H = torch.eye(len(x)).to(x)
            size = max(largest_entry(H), 1e-8 * norm(g) / max(1.0, norm(x)), 1e-300)
            H = H + torch.eye(len(x)).to(x) * size * max(self.damping, 0.0)
            if largest_entry(H) < 1e-6 * norm(g) / max(1.0, norm(x)):
                H = H + torch.eye(len(x)).to(x) * 1e-3 * norm(g) / max(1.0, norm(x))
            B, sigma = convexified(H, active)
        else:
            if self.B is None:
                self.B = torch.eye(len(x)).to(x) * max(1.0, norm(g) / max(1.0, norm(x)) if self.failures else 0.0)
            B = self.B
        box = Bounds(self.box.lower - x, self.box.upper - x)
        self._last = Model(B, g, c.jacobian, self.set.lower - c.value, self.set.upper - c.value, box)
        return self._last, sigma, active

    def _active(self, at: _Place, multipliers: Multipliers) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Normalised rows that act as equalities, and their positions among rows and bounds."""
        lengths = at.c.jacobian.norm(dim=-1)
        rows = ((self.set.lower == self.set.upper) | (multipliers.rows != 0)) & (lengths > 0)
        bounds = multipliers.bounds != 0
        eye = torch.eye(len(at.point.x)).to(at.point.x)
        self._lengths = lengths[rows]
        return torch.cat([at.c.jacobian[rows] / lengths[rows, None], eye[bounds]]), (rows, bounds)

    def _shifted(self, step: Step, at: _Place, shift: Tensor) -> Step:
        """Multipliers without what the term σ WᵀW added to them."""
        rows, bounds = self._where
        count = int(rows.sum())
        λ, ν = step.multipliers.rows.clone(), step.multipliers.bounds.clone()
        fixed = self.set.lower == self.set.upper
        keep_rows, keep_bounds = (λ[rows] != 0) | fixed[rows], ν[bounds] != 0
        λ[rows] = λ[rows] + shift[:count] / self._lengths * keep_rows
        ν[bounds] = ν[bounds] + shift[count:] * keep_bounds
        return Step(step.d, Multipliers(λ, ν), step.elastic)

    def _elastic(self, at: _Place, model: Model) -> Step | Status | None:
        """The cheapest price at which the linearised violation falls; infeasible where none does."""
        before = at.c.violations
        total = float((self.units * before).sum())
        scaled = Model(
            model.B,
            model.g,
            self.units[:, None] * model.J,
            self.units * model.lower,
            self.units * model.upper,
            model.box,
        )
        base = max(largest_entry(self.penalties / self.units), largest_entry(model.g), 1e-8)
        answer = None
        for factor in ELASTIC:
            step = elastic(scaled, factor * base)
            if step is None:
                continue
            rest = float((self.units * model.left(step.d)).sum())
            λ = Multipliers(self.units * step.multipliers.rows, step.multipliers.bounds)
            answer = Step(step.d, λ, factor * base)
            if rest <= 0.9 * total or total <= self.watch.ctol:
                return answer
        if answer is None:
            return None
        if largest_entry(before) > self.watch.ctol:
            rest = float((self.units * model.left(answer.d)).sum())
            if rest > (1 - 1e-6) * total:
                return Status.INFEASIBLE
        return answer

    def _search(self, at: _Place, step: Step) -> _Place | None:
        """The next place along d, or with a correction of second order; None where the merit does not fall."""
        x, g, d = at.point.x, at.point.gradient, step.d
        λ = step.multipliers.rows.abs()
        if step.elastic:
            λ = torch.maximum(λ, step.elastic * self.units)
        # Powell's rule lets a penalty that is no longer needed fall by half an iteration
        self.penalties = torch.maximum(1.1 * λ, 0.5 * (self.penalties + λ))
        before = at.c.violations
        left = (self.set.lower - at.c.value - at.c.jacobian @ d).clamp(min=0)
        left = left + (at.c.value + at.c.jacobian @ d - self.set.upper).clamp(min=0)
        slope = dot(g, d) - float((self.penalties * (before - left)).sum())
        noise = self.objective.noise(at.point.value, float((self.penalties * at.c.value.abs()).sum()))
        if not slope < 0:
            if slope > noise:
                return None
            slope = min(slope, 0.0)
        merit = self._merit(at)
        alpha, tried = 1.0, False
        for _ in range(40):
            ahead = self._at(x + alpha * d)
            if torch.equal(ahead.point.flat, at.point.flat):
                return None
            if ahead.usable:
                if self._merit(ahead) <= merit + self.rule.armijo * alpha * slope + noise and self._progresses(
                    at, ahead, noise, slope
                ):
                    self._adapt(alpha)
                    return ahead
                if alpha == 1.0 and not tried:
                    tried = True
                    corrected = self._corrected(at, ahead, d)
                    if corrected is not None and self._merit(corrected) <= merit + self.rule.armijo * slope + noise:
                        self._adapt(alpha)
                        return corrected
                fall = self._merit(ahead) - merit - alpha * slope
                best = -0.5 * slope * alpha * alpha / fall if fall > 0 else 0.5 * alpha
                alpha = min(max(best, 0.1 * alpha), 0.5 * alpha)
            else:
                alpha *= 0.2
        return None

    def _progresses(self, at: _Place, ahead: _Place, noise: float, slope: float) -> bool:
        """Always, unless all that is gained is noise: then the constraints or the gradient must not become worse."""
        if -slope > noise:
            return True
        return largest_entry(ahead.c.violations) <= max(largest_entry(at.c.violations), self.watch.ctol)

    def _adapt(self, alpha: float) -> None:
        if alpha >= 0.5:
            self.damping = self.damping / 10 if self.damping > 1e-4 else 0.0
        elif alpha < 0.1:
            self.damping = min(max(10 * self.damping, 1e-3), 1e4)

    def _at(self, x: Tensor) -> _Place:
        point = self.objective.at(self.box.project(x))
        return _Place(point, self.set.at(point.flat))

    def _merit(self, at: _Place) -> float:
        return at.point.value + float((self.penalties * at.c.violations).sum())

    def _corrected(self, at: _Place, ahead: _Place, d: Tensor) -> _Place | None:
        """The step again with the constraints' values at x + d: it undoes their curvature."""
        model = self._last
        step = plain(model.shifted(ahead.c.value - at.c.value - at.c.jacobian @ d))
        if step is None or largest_entry(step.d - d) > 2 * largest_entry(d):
            return None
        place = self._at(at.point.x + step.d)
        return place if place.usable else None

    def _update(self, at: _Place, ahead: _Place, multipliers: Multipliers) -> None:
        s = ahead.point.x - at.point.x
        y = ahead.point.gradient - at.point.gradient + (ahead.c.jacobian - at.c.jacobian).T @ multipliers.rows
        assert self.B is not None
        self.B = damped_bfgs(self.B, s, y, self.fresh)
        self.fresh = False
