"""ConstraintSet: all constraints of a problem stacked into one function, with its derivatives."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from gradwright.solvers.constrained.constraint import Constraint
from gradwright.solvers.linear.vectors import power_of_two
from gradwright.solvers.problem.determinism import Draws, refuse_two_values
from gradwright.solvers.problem.layout import Layout


class ConstraintSet:
    """All constraints as one function x ↦ c(x) in Rᵏ with sides lower ≤ c ≤ upper, in the solver's dtype.

    Args:
        constraints: what the user gave, in order.
        layout: of x.
        work: takes a vector of the layout's dtype to the dtype that solvers compute in.

    Attributes:
        count: evaluations of all constraints so far.
        sizes: rows of each constraint, known after the first evaluation, like lower and upper.
        units: powers of two that rows are divided by, so that the units of a constraint change nothing; see
            :meth:`choose_units`.
    """

    lower: Tensor
    upper: Tensor
    units: Tensor

    def __init__(self, constraints: Sequence[Constraint], layout: Layout, work: Callable[[Tensor], Tensor]) -> None:
        self.constraints, self.layout, self.work = constraints, layout, work
        self.count = 0
        self.sizes: list[int] = []

    def at(self, flat: Tensor) -> Constrained:
        """c at a flat point of the layout's dtype."""
        self.count += 1
        leaf = flat.detach().clone().requires_grad_()
        first = not hasattr(self, "lower")
        with torch.enable_grad():
            parts = [self._value(index, leaf, first) for index in range(len(self.constraints))]
        if first:
            self._settle(parts)
        elif [part.numel() for part in parts] != self.sizes:
            raise ValueError(
                f"the constraints return {[part.numel() for part in parts]} numbers, but at x0 {self.sizes}"
            )
        return Constrained(self, leaf, parts)

    def choose_units(self, start: Constrained) -> None:
        """Divide each row, here and from now on, by the power of two near its largest slope at the start.

        A row without slope there, or with one that is not finite, stays as it is.
        """
        slopes = start.slopes
        units = torch.where((slopes > 0) & slopes.isfinite(), power_of_two(slopes), 1.0)
        self.units, self.lower, self.upper = units, self.lower / units, self.upper / units
        start.value = start.value / units
        start.jacobian = start.jacobian / units[:, None]

    def _value(self, index: int, leaf: Tensor, watched: bool) -> Tensor:
        """One constraint; where it is watched and draws random numbers, it must give the same a second time.

        Raises:
            NotDeterministic: it does not.
        """
        draws = Draws(leaf.device) if watched else None
        value = self._vector(self.constraints[index], leaf, f"constraints[{index}]")
        if draws is not None and draws.any:
            again = self._vector(self.constraints[index], leaf, f"constraints[{index}]")
            for one, other in zip(value.tolist(), again.tolist()):
                refuse_two_values(one, other, torch.finfo(leaf.dtype).eps, f"constraints[{index}]")
        return value

    def _vector(self, each: Constraint, leaf: Tensor, name: str) -> Tensor:
        value = each.fun(self.layout.structured(leaf if each.jac is None else leaf.detach()))
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], Tensor):
            value = torch.stack([part.reshape(()) for part in value])
        if isinstance(value, Tensor) and each.jac is None and not value.requires_grad:
            raise ValueError(
                f"{name} has no gradient: its value does not depend on x through torch operations; give jac"
            )
        if not isinstance(value, Tensor):
            if each.jac is None and not isinstance(value, numbers.Real):
                raise ValueError(
                    f"{name} returned a {type(value).__name__}, which has no gradient; return a tensor, or give jac"
                )
            if each.jac is None:
                raise ValueError(f"{name} returned a plain number, which has no gradient; return a tensor, or give jac")
            value = torch.as_tensor(value, dtype=leaf.dtype, device=leaf.device)
        if value.is_complex() or value.dim() > 1:
            raise ValueError(
                f"{name} returned {value.dtype} of shape {tuple(value.shape)}; return a real number or vector"
            )
        return value.reshape(-1)

    def _settle(self, parts: list[Tensor]) -> None:
        self.sizes = [part.numel() for part in parts]
        sides = []
        for index, (each, part) in enumerate(zip(self.constraints, parts)):
            pair = []
            for name, side in (("lower", each.lower), ("upper", each.upper)):
                side = (
                    side.double() if isinstance(side, Tensor) else torch.tensor(side, dtype=torch.float64, device="cpu")
                )
                if side.dim() > 1 or side.numel() not in (1, part.numel()) or side.isnan().any():
                    raise ValueError(
                        f"constraints[{index}]: {name} is {side.tolist()}, but fun returns {part.numel()} "
                        f"numbers; give one number or as many, none of them NaN"
                    )
                pair.append(side.reshape(-1).expand(part.numel()))
            if (pair[0] > pair[1]).any():
                at = int((pair[0] > pair[1]).nonzero()[0])
                raise ValueError(
                    f"constraints[{index}]: lower is above upper at entry {at}: {float(pair[0][at])} > "
                    f"{float(pair[1][at])}; give lower <= upper"
                )
            sides.append(pair)
        like = self.work(torch.zeros(0, dtype=self.layout.dtype, device=self.layout.device))
        self.lower, self.upper = (torch.cat([like, *(pair[side].to(like) for pair in sides)]) for side in (0, 1))
        self.units = torch.ones_like(self.lower)


class Constrained:
    """The constraints at one point.

    Attributes:
        value: c(x) in the units of its rows, (k,).
        finite: whether all of them are.
    """

    def __init__(self, owner: ConstraintSet, leaf: Tensor, parts: list[Tensor]) -> None:
        self.owner, self.leaf, self._parts = owner, leaf, parts
        value = owner.work(torch.cat([part.detach() for part in parts]) if parts else leaf.new_zeros(0))
        self.value = value / owner.units
        self.finite = bool(self.value.isfinite().all())

    @property
    def shortfall(self) -> Tensor:
        """How far each row is below its lower side."""
        return (self.owner.lower - self.value).clamp(min=0)

    @property
    def excess(self) -> Tensor:
        """How far each row is above its upper side."""
        return (self.value - self.owner.upper).clamp(min=0)

    @property
    def violations(self) -> Tensor:
        return self.shortfall + self.excess

    @cached_property
    def jacobian(self) -> Tensor:
        """(k, n), in the units of the rows."""
        rows = [self._rows(index) for index in range(len(self._parts))]
        whole = torch.cat(rows) if rows else self.leaf.new_zeros(0, self.leaf.numel())
        return self.owner.work(whole) / self.owner.units[:, None]

    @property
    def slopes(self) -> Tensor:
        """The largest entry of each row of the Jacobian, (k,)."""
        return self.jacobian.abs().amax(-1) if len(self.value) else self.value

    @torch.enable_grad()
    def _rows(self, index: int) -> Tensor:
        each, part, n = self.owner.constraints[index], self._parts[index], self.leaf.numel()
        if each.jac is not None:
            answer = each.jac(self.owner.layout.structured(self.leaf.detach()))
            matrix = torch.as_tensor(answer, dtype=self.leaf.dtype, device=self.leaf.device).detach()
            if matrix.numel() != part.numel() * n or (matrix.dim() == 2 and matrix.shape != (part.numel(), n)):
                raise ValueError(
                    f"constraints[{index}]: jac has shape {tuple(matrix.shape)}; it must be ({part.numel()}, {n})"
                )
            return matrix.reshape(part.numel(), n)
        rows = [torch.autograd.grad(entry, self.leaf, retain_graph=True, allow_unused=True)[0] for entry in part]
        return torch.stack([torch.zeros_like(self.leaf) if row is None else row for row in rows])

    def hessian(self, v: Tensor) -> Tensor:
        """Σ vᵢ ∇²cᵢ(x), (n, n), symmetric."""
        total, start = self.owner.work(self.leaf.new_zeros(self.leaf.numel(), self.leaf.numel())), 0
        v = v / self.owner.units
        for index, size in enumerate(self.owner.sizes):
            weights = v[start : start + size].to(self.leaf)
            start += size
            if bool((weights != 0).any()):
                total = total + self.owner.work(self._curvature(index, weights))
        return 0.5 * (total + total.T)

    @torch.enable_grad()
    def _curvature(self, index: int, weights: Tensor) -> Tensor:
        each, n = self.owner.constraints[index], self.leaf.numel()
        if each.hess is not None:
            answer = each.hess(self.owner.layout.structured(self.leaf.detach()), weights)
            answer = torch.as_tensor(answer, dtype=self.leaf.dtype, device=self.leaf.device)
            if answer.shape != (n, n):
                raise ValueError(f"constraints[{index}]: hess has shape {tuple(answer.shape)}; it must be ({n}, {n})")
            return answer
        if each.jac is not None:
            return self._differences(index, weights)
        total = self._parts[index] @ weights
        (slope,) = torch.autograd.grad(total, self.leaf, create_graph=True, retain_graph=True)
        if not slope.requires_grad:
            return self.leaf.new_zeros(n, n)
        rows = [torch.autograd.grad(entry, self.leaf, retain_graph=True, allow_unused=True)[0] for entry in slope]
        return torch.stack([torch.zeros_like(self.leaf) if row is None else row for row in rows]).detach()

    def _differences(self, index: int, weights: Tensor) -> Tensor:
        """Central differences of the user's Jacobian, transposed and applied to the weights."""
        x, columns = self.leaf.detach(), []
        each, layout = self.owner.constraints[index], self.owner.layout
        for entry in range(x.numel()):
            step = torch.finfo(x.dtype).eps ** (1 / 3) * max(1.0, float(x[entry].abs()))
            ends = []
            for sign in (1, -1):
                moved = x.clone()
                moved[entry] += sign * step
                answer = each.jac(layout.structured(moved))  # type: ignore[misc]
                rows = torch.as_tensor(answer, dtype=x.dtype, device=x.device).reshape(-1, x.numel())
                ends.append(rows.T @ weights)
            columns.append((ends[0] - ends[1]) / (2 * step))
        return torch.stack(columns, 1)
