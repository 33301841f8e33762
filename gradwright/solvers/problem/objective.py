"""Objective: the function as solvers see it. Flat points in, values, gradients and curvature out, all of it counted."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from gradwright.core.warn import warn_user
from gradwright.solvers.linear.operator import LinearOperator, as_operator
from gradwright.solvers.linear.vectors import finite, largest_entry, widen
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.budget import Budget, Limits
from gradwright.solvers.problem.curvature import Curvature
from gradwright.solvers.problem.determinism import Draws, disagreement, refuse_two_values
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.sources import Source

WIDE = 1_000_000
"""Up to this many unknowns solvers keep their vectors in float64, whatever the dtype of x0."""

NOISE = 10.0
"""Values count as equal when they differ by less than this many units of rounding."""


FAR_FROM_ONE = 1e60
"""Gradients at the start between this and its inverse are measured as they are."""


class Point:
    """The objective at one point; gradient and curvature are computed when first asked for.

    Attributes:
        x: the point, with numbers that the objective's dtype can hold.
        value: f(x) in the objective's unit, as a Python float.
        source, flat, evaluation: what a curvature may look at.
    """

    def __init__(self, objective: Objective, flat: Tensor) -> None:
        self.objective = objective
        self.source = objective.source
        self.flat = flat
        self.x = objective.work(flat)
        self.evaluation: Evaluation = objective.source.evaluate(flat)
        self.value = float(self.evaluation.loss.detach()) / objective.unit

    @cached_property
    def gradient(self) -> Tensor:
        """∇f(x), in the objective's unit."""
        self.objective.njev += 1
        return self.objective.work(self.objective.gradient_of(self.evaluation)) / self.objective.unit

    @cached_property
    def usable(self) -> bool:
        """Whether value and gradient are finite."""
        return math.isfinite(self.value) and finite(self.gradient)

    @cached_property
    def slope_size(self) -> float:
        """‖∇f(x)‖∞."""
        return largest_entry(self.gradient)

    @cached_property
    def hessian(self) -> LinearOperator:
        """The curvature as an operator on vectors of the solver."""
        return self.objective.operator(self)

    def form_hessian(self) -> None:
        """Compute the Hessian column by column, so that later products cost nothing; it is made symmetric."""
        matrix = self.hessian.dense(self.x)
        self.hessian = as_operator(0.5 * (matrix + matrix.T))

    def difference_gradient(self, x: Tensor) -> Tensor:
        objective = self.objective
        objective.budget.spend()
        objective.njev += 1
        return objective.source.evaluate(x).gradient()

    def switch(self, curvature: Curvature, warning: str) -> None:
        self.objective.curvature = curvature
        warn_user(warning)

    def release(self) -> None:
        """Free the graph; value and gradient stay."""
        _ = self.gradient
        self.__dict__.pop("hessian", None)
        del self.evaluation


class Objective:
    """The function to minimise, with its counters and its budget.

    Solvers work on flat vectors in float64 (up to ``WIDE`` unknowns); a point is rounded to the dtype of x0 before it
    is evaluated, and that rounded point is the one they go on with.

    Args:
        source: evaluates.
        curvature: makes products; None for methods that use no second derivatives.
        limits: what may be spent.
        box: bounds, for methods that keep them.

    Attributes:
        budget: what may be spent, and the evaluations so far.
        njev, nhev: gradients and products with the Hessian so far.
        unit: a power of two that values and derivatives are divided by; 1 but for numbers near the end of the range.
    """

    def __init__(
        self,
        source: Source,
        curvature: Curvature | None = None,
        limits: Limits | None = None,
        box: Bounds | None = None,
    ) -> None:
        self.source = source
        self.box = box
        self.curvature = curvature
        self.budget = Budget(limits)
        self.dtype = source.layout.dtype
        self.eps = torch.finfo(self.dtype).eps
        self.size = source.layout.size
        self.njev = self.nhev = 0
        self.unit = 1.0
        self._wide = self.size <= WIDE

    @property
    def nfev(self) -> int:
        """Evaluations so far."""
        return self.budget.nfev

    def work(self, flat: Tensor) -> Tensor:
        """A vector in the dtype that solvers compute in."""
        flat = flat.detach()
        return widen(flat) if self._wide else flat

    def at(self, x: Tensor) -> Point:
        """Evaluate at ``x``, rounded to the dtype of x0.

        Raises:
            Exhausted: the budget is used up.
        """
        self.budget.spend()
        point = Point(self, x.to(self.dtype))
        if point.evaluation.loss.is_floating_point():
            self.eps = max(self.eps, torch.finfo(point.evaluation.loss.dtype).eps)
        return point

    def begin(self, x: Tensor, twice: bool = False) -> Point:
        """Evaluate at the start; a second time where the first one drew random numbers, or where ``twice`` asks for it.

        Raises:
            NotDeterministic: the two values differ.
        """
        before = self._value(x) if twice else None
        draws = Draws(self.source.layout.device)
        point = self.at(x)
        if before is None and draws.any:
            before = self._value(x)
        if before is not None:
            self.budget.nfev += 1
            refuse_two_values(before, point.value, self.eps, self.source.name)
        return point

    def measure_in_unit_of(self, start: Point) -> None:
        """Choose the unit: where the first gradient is so small or large that products of such numbers leave the range,
        the power of two near it."""
        size = start.slope_size
        if size == 0 or not start.usable or 1 / FAR_FROM_ONE <= size <= FAR_FROM_ONE:
            return
        self.unit = 2.0 ** (math.frexp(max(size, abs(start.value) * FAR_FROM_ONE**-2.5))[1] - 1)
        start.value, start.gradient = start.value / self.unit, start.gradient / self.unit
        del start.slope_size

    def _value(self, x: Tensor) -> float:
        """f at ``x`` in the unit, not counted."""
        return float(self.source.evaluate(x.to(self.dtype)).loss.detach()) / self.unit

    def gradient_of(self, evaluation: Evaluation) -> Tensor:
        keep = self.curvature is not None and self.curvature.keeps_graph and evaluation.given is None
        try:
            return evaluation.gradient(keep_graph=keep)
        except (RuntimeError, NotImplementedError):
            if not keep:
                raise
            return evaluation.gradient()

    def repeats(self, point: Point) -> bool:
        """Whether the value at a point is the same when it is computed once more, which no limit forbids."""
        self.budget.nfev += 1
        return not disagreement(self._value(point.flat), point.value, self.eps)

    def noise(self, *values: float) -> float:
        """Differences between these values below this are rounding."""
        return NOISE * self.eps * max(abs(value) for value in values)

    def operator(self, point: Point) -> LinearOperator:
        """The curvature at a point, counted, in the solver's dtype."""
        if self.curvature is None:
            raise ValueError("this method was set up without curvature; give hvp")
        product = self.curvature.product(point)

        def times(v: Tensor) -> Tensor:
            self.budget.check_clock()
            self.nhev += 1
            narrow = v.to(self.dtype)
            if v.dtype == self.dtype or 1e-20 < float(torch.dot(narrow, narrow)) < 1e20:
                return self.work(product(narrow)) / self.unit
            largest = largest_entry(v)  # in units of it nothing overflows or vanishes in a narrower dtype
            if not largest:
                return torch.zeros_like(v)
            return self.work(product((v / largest).to(self.dtype))) / self.unit * largest

        return LinearOperator((self.size, self.size), times)
