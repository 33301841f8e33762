"""GradientTest: when a gradient counts as zero. Every method asks here, so one sentence says what success means."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import dot, finite, largest_entry, norm, significant
from gradwright.solvers.problem.budget import Exhausted
from gradwright.solvers.problem.objective import Objective, Point

RECENT = 10
"""Steps whose curvature is remembered."""

TRAVELLED = 1e-6
"""Part of the way from x₀ that counts as the size of x, where x itself is smaller."""

STRICT = 1e-6
"""What the gradient has to lose more than gtol, against the largest."""

LEAST = 1e-14
"""ω gtol is at least this: no test asks for more of a gradient in float64."""

ROUNDING = 1e-15
"""This part of the largest gradient is always small enough."""

SAFE = 0.1
"""Part of κX that counts, since few steps see the flattest direction as it is."""

GROWN = 1e3
"""How much larger than at the first steps a gradient counts."""

NOISE = 10.0
"""Units of rounding by which a value at rest may still fall."""

FELL = 1e-6
"""A run whose value fell by more than this part of itself did not start at a solution."""

SLOWER = 0.01
"""The value falls by at most this part of what it fell by in as many steps before, where a run comes to its end."""

NEARBY = 0.01
"""How far from x, relative to its size, the gradient is looked at once where a run saw nothing but its end."""


class GradientTest:
    """‖g‖∞ ≤ gtol · min(κX / 10, ωG): no unit of f is in it, and none that all of x shares.

    κX is the gradient at a distance ‖x‖ from the solution along the flattest direction that the run has used: κ is the
    least curvature sᵀy / sᵀs of the last ``RECENT`` steps s = x⁺ − x with y = g⁺ − g, without those whose sᵀy is not
    positive by more than rounding, and X is max(‖x‖∞, 10⁻⁶ ‖x − x₀‖∞). So what is left to go, ‖g‖ / κ, is small beside
    x along all directions that the last steps had a part in. A flat valley that no step has gone along is not seen.

    G is the largest ‖g‖∞ of the run, but at most 1000 times that of its first ten steps, which a run may leave for a
    cliff: so the gradient is small beside what it was; ω is 10⁻⁶, and 0 before ``steps``
    were made: the first ones often drop into a valley and have not gone along it, and then neither the fall of
    the gradient nor κ says how far there is to go. Minima where the curvature vanishes, or that lie at infinity, are
    reached slowly; ‖g‖∞ ≤ 10⁻¹⁵ G is always enough.

    After ``steps`` steps the value must come to rest too: in the last ten steps it fell by at most 1 % of what it
    fell by in the ten before. Steps that leap from wall to wall of a canyon meet its floor, where the gradient is a
    trifle beside that at the walls, but go on falling evenly.

    A run that starts at a solution sees only small gradients. Where no step improves its value it looks once at the
    gradient nearby, and G becomes at least κX with the κ found there.

    Args:
        gtol: the tolerance, a number without unit.
        fixed: for runs inside other runs, which know their units: the test is ‖g‖∞ ≤ gtol and nothing else.
        steps: before which ω is 0; fewer where a whole matrix is factorised for each.
    """

    def __init__(self, gtol: float, fixed: bool = False, steps: int = RECENT) -> None:
        self.gtol, self.fixed, self.steps = gtol, fixed, steps
        self.largest = 0.0
        self._curvatures: deque[float] = deque(maxlen=RECENT)
        self._start: Tensor | None = None
        self._x: Tensor | None = None
        self._steps = self._all_steps = 0
        self._nearby = 0.0
        self._values: deque[float] = deque(maxlen=2 * RECENT + 1)
        self._early = self._eps = 0.0
        self._first: float | None = None
        self._stuck = False

    def see(self, x: Tensor, size: float, y: Tensor | None, eps: float, value: float | None = None) -> None:
        """Take in an iterate.

        Args:
            x: the iterate.
            size: ‖g‖∞ of what has to vanish there.
            y: the change of the gradient since the last iterate; None for the first one.
            eps: of the precision that gradients have.
            value: f there; None where it says nothing, as under constraints.
        """
        if self._start is None:
            self._start = x
        if y is not None and self._x is not None:
            curvature = _curvature(x - self._x, y, eps)
            if curvature is not None:
                self._curvatures.append(curvature)
            self._steps += 1
            self._all_steps += 1
        self.largest = max(self.largest, size)
        if self._all_steps <= RECENT:
            self._early = self.largest
        self._x, self._eps = x, eps
        if value is not None:
            self._first = value if self._first is None else self._first
            self._values.append(value)

    def begin_anew(self) -> None:
        """A second solver starts elsewhere: what was learned of curvature is forgotten, the largest gradient is not."""
        self._curvatures.clear()
        self._values.clear()
        self._stuck = False
        self._steps = 0
        self._x = None

    @property
    def tolerance(self) -> float:
        """What ‖g‖∞ may be at the last iterate."""
        if self.fixed:
            return self.gtol
        if self._steps >= self.steps and not (self._stuck or self._rests):
            return 0.0
        largest = max(min(self.largest, GROWN * self._early), self._nearby * self._size)
        strict = min(self.gtol, max(STRICT * self.gtol, LEAST)) if self._steps >= self.steps or self._nearby else 0.0
        fallen = strict * largest
        known = [*self._curvatures] or [self._nearby] * (self._nearby > 0)
        if known:
            fallen = min(fallen, SAFE * self.gtol * min(known) * self._size)
        return max(fallen, ROUNDING * largest)

    @property
    def _has_fallen(self) -> bool:
        """Whether the run began well above where it is, so that it did not start at a solution."""
        if self._first is None or not self._values:
            return False
        last = self._values[-1]
        return self._first - last > FELL * max(abs(self._first), abs(last))

    @property
    def _rests(self) -> bool:
        """Whether the value falls less than it did, or by no more than rounding."""
        half = (len(self._values) - 1) // 2
        if half < 1:
            return True
        early, middle, last = self._values[-1 - 2 * half], self._values[-1 - half], self._values[-1]
        fall = middle - last
        return fall <= SLOWER * (early - middle) or fall <= NOISE * self._eps * abs(last)

    @property
    def _size(self) -> float:
        """X."""
        if self._x is None or self._start is None:
            return 0.0
        return max(largest_entry(self._x), TRAVELLED * largest_entry(self._x - self._start))

    def look_nearby(self, objective: Objective, point: Point) -> None:
        """Learn the curvature around a point by one more gradient, where the budget allows it."""
        self._stuck = True
        if self.fixed or self._nearby or (self._all_steps >= self.steps and self._has_fallen):
            return
        step = NEARBY * torch.maximum(point.x.abs(), torch.full_like(point.x, NEARBY * (self._size or 1.0)))
        target = point.x + step
        if objective.box is not None:
            box = objective.box.to(point.x)
            target = box.project(torch.where(target > box.upper, point.x - step, target))
        try:
            other = objective.at(target)
        except Exhausted:
            return
        if other.usable and finite(point.gradient):
            self._nearby = _curvature(other.x - point.x, other.gradient - point.gradient, objective.eps) or 0.0


def _curvature(s: Tensor, y: Tensor, eps: float) -> float | None:
    """sᵀy / sᵀs, or None where sᵀy is not positive by more than rounding."""
    length, change = norm(s), norm(y)
    if length == 0 or not significant(dot(s / length, y), s / length, y, eps):
        return None
    return dot(s / length, y / change) * (change / length)
