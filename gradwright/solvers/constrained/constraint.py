"""Constraint: l ≤ c(x) ≤ u as users give it, in our form or in SciPy's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Constraint:
    """lower ≤ fun(x) ≤ upper.

    Args:
        fun: x in the form of x0 (a list of tensors for parameters) ↦ a number or a vector, as a tensor.
        lower, upper: numbers or vectors; ±inf leaves a side open, equal sides make an equality.
        jac: x ↦ (rows, n) over the flat x; autograd by default.
        hess: (x, v) ↦ Σ vᵢ ∇²cᵢ(x), (n, n); autograd by default, differences of jac where that is given.

    >>> circle = Constraint(lambda x: (x * x).sum(), upper=1.0)
    """

    fun: Callable[[Any], Any]
    lower: Any = -torch.inf
    upper: Any = torch.inf
    jac: Callable[[Any], Any] | None = None
    hess: Callable[[Any, Tensor], Any] | None = None

    @classmethod
    def equal(cls, fun: Callable[[Any], Any], value: Any = 0.0) -> Constraint:
        """fun(x) = value."""
        return cls(fun, value, value)


def constraints_of(given: Any) -> tuple[Constraint, ...]:
    """The constraints that ``minimize``'s ``constraints`` describes.

    Args:
        given: one or a list of: :class:`Constraint`; SciPy's dictionary {"type": "eq" | "ineq", "fun", "jac", "args"}
            with fun(x) = 0 or fun(x) ≥ 0; anything with SciPy's fields (fun, lb, ub) or (A, lb, ub). Functions get and
            return torch tensors.

    Raises:
        TypeError, ValueError: something else; the message says which one it was.
    """
    if isinstance(given, (Constraint, Mapping)) or not isinstance(given, Sequence):
        given = (given,)
    return tuple(_one(each, f"constraints[{index}]") for index, each in enumerate(given))


def _one(each: Any, name: str) -> Constraint:
    if isinstance(each, Constraint):
        found = each
    elif isinstance(each, Mapping):
        found = _dictionary(each, name)
    elif all(hasattr(each, field) for field in ("A", "lb", "ub")):
        matrix = torch.as_tensor(each.A, dtype=torch.float64, device="cpu")
        matrix = matrix[None] if matrix.dim() == 1 else matrix
        found = Constraint(_Linear(matrix), each.lb, each.ub)
    elif all(hasattr(each, field) for field in ("fun", "lb", "ub")):
        jac, hess = (
            value if callable(value) else None for value in (getattr(each, "jac", None), getattr(each, "hess", None))
        )
        found = Constraint(each.fun, each.lb, each.ub, jac, hess)
    else:
        raise TypeError(f"{name} is a {type(each).__name__}; give a Constraint, or a dictionary with type and fun")
    if not callable(found.fun):
        raise TypeError(f"{name}: fun is a {type(found.fun).__name__}; give a function of x")
    return found


@dataclass(frozen=True)
class _Linear:
    """x ↦ Ax over the flat x."""

    matrix: Tensor

    def __call__(self, x: Any) -> Tensor:
        parts = [x] if isinstance(x, Tensor) else list(x.values()) if isinstance(x, Mapping) else list(x)
        flat = torch.cat([part.reshape(-1) for part in parts])
        if flat.numel() != self.matrix.shape[1]:
            raise ValueError(
                f"a linear constraint has {self.matrix.shape[1]} columns, but x0 has {flat.numel()} numbers"
            )
        return self.matrix.to(flat) @ flat


def _dictionary(each: Mapping[str, Any], name: str) -> Constraint:
    unknown = set(each) - {"type", "fun", "jac", "args", "hess"}
    if unknown:
        raise ValueError(f"{name} has the key {sorted(unknown)[0]!r}; known are type, fun, jac, hess, args")
    kind = str(each.get("type", "")).lower()
    if kind not in ("eq", "ineq") or "fun" not in each:
        raise ValueError(
            f"{name} needs fun, and type 'eq' (fun(x) = 0) or 'ineq' (fun(x) >= 0); its type is {each.get('type')!r}"
        )
    args = tuple(each.get("args", ()))
    jac, hess = each.get("jac"), each.get("hess")
    upper = 0.0 if kind == "eq" else torch.inf
    return Constraint(_bound(each["fun"], args), 0.0, upper, _bound(jac, args) if callable(jac) else None, hess)


def _bound(function: Any, args: tuple[Any, ...]) -> Any:
    """A function of x with its other arguments filled in; what is no function stays, to be refused by name."""
    return (lambda x: function(x, *args)) if callable(function) else function
