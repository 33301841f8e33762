"""minimize with constraints: the same verb, with SciPy's argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from gradwright.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from gradwright.solvers.constrained.constraints import constraints_of
from gradwright.solvers.constrained.sqp import SQP, Constrainable
from gradwright.solvers.method import Method
from gradwright.solvers.minimize import minimize as unconstrained
from gradwright.solvers.result import Result

CONSTRAINED: dict[str, Callable[..., Constrainable]] = {"sqp": SQP, "augmented-lagrangian": AugmentedLagrangian}
"""Makers of the methods that take constraints."""


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    method: str | Method | None = None,
    *,
    constraints: Any = (),
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Result:
    """Minimise a smooth function of many variables, with or without constraints.

    Without ``constraints`` this is :func:`gradwright.solvers.minimize.minimize`; every keyword is passed on to it.

    Args:
        fun, x0, options, settings: as there (jac, hvp, hess, bounds, gtol, maxiter, maxfev, max_seconds, callback).
        method: with constraints ``"sqp"`` (the default) or ``"augmented-lagrangian"``, or one of these as a value.
        constraints: one or a list of :class:`Constraint`, of SciPy's dictionaries {"type": "eq" | "ineq",
        "fun": ...}, or
            of SciPy's constraint objects. Their functions get x in the form of x0 and return torch tensors.

    Returns:
        a :class:`Result`. ``result.extra`` holds ``multipliers`` (one vector for each constraint, positive where an
        upper side pushes), ``bound_multipliers``, ``constraints`` (their values), ``violation``, ``stationarity`` and
        ``ncev``. At a solution ∇f + Jᵀλ + ν = 0.

    Raises:
        ValueError, TypeError: as there; constraints beside a method that would ignore them; a constraint without
            gradient, with lower > upper, or with a wrong shape.

    >>> import torch
    >>> circle = {"type": "ineq", "fun": lambda x: 1 - (x * x).sum()}
    >>> result = minimize(lambda x: x.sum(), torch.zeros(2, dtype=torch.float64), constraints=circle)
    >>> result.status.name, [round(float(each), 6) for each in result.x]
    ('CONVERGED_GRADIENT', [-0.707107, -0.707107])
    """
    asked = constraints_of(constraints)
    if isinstance(method, Constrainable):
        if asked and method.constraints:
            raise ValueError("constraints are given both to minimize and to the method; give them once")
        chosen: str | Method | None = replace(method, constraints=asked) if asked else method
        return unconstrained(fun, x0, chosen, options=options, **settings)
    if not asked and method not in CONSTRAINED:
        return unconstrained(fun, x0, method, options=options, **settings)
    name = method or "sqp"
    if not isinstance(name, str) or name not in CONSTRAINED:
        shown = name if isinstance(name, str) else type(name).__name__
        raise ValueError(f"{shown} does not take constraints; use one that does: {', '.join(CONSTRAINED)}")
    given = dict(options or {})
    if asked and "constraints" in given:
        raise ValueError("constraints are given both to minimize and in options; give them once")
    maker = CONSTRAINED[name]
    known = [each.name for each in fields(maker)]  # type: ignore[arg-type]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(f"{name} has no option {unknown[0]!r}; it has {', '.join(sorted(known))}")
    chosen = maker(**{**given, **({"constraints": asked} if asked else {})})
    return unconstrained(fun, x0, chosen, **settings)
