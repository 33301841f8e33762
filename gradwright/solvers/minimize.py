"""minimize: one verb for every method, with SciPy's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import torch

from gradwright.solvers.bounds import Bounds, bounds_of
from gradwright.solvers.closure import check_deterministic
from gradwright.solvers.curvature import Curvature, GivenMatrix, curvature_of
from gradwright.solvers.layout import layout_of
from gradwright.solvers.method import Method
from gradwright.solvers.methods import METHODS
from gradwright.solvers.objective import Limits, Objective
from gradwright.solvers.result import Iteration, Result
from gradwright.solvers.sources import ModuleSource, source_of

GTOL = {torch.float64: 1e-6, torch.float32: 1e-5}


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    method: str | Method | None = None,
    *,
    jac: Callable[[Any], Any] | bool | None = None,
    hvp: str | Curvature | Callable[[Any, Any], Any] | None = None,
    hess: Callable[[Any], Any] | None = None,
    bounds: Any = None,
    gtol: float | None = None,
    maxiter: int | None = None,
    maxfev: int | None = None,
    max_seconds: float | None = None,
    callback: Callable[[Any, Iteration], Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Minimise a smooth function of many variables.

    Nothing in it depends on the units of f, and it never claims more than it knows: ``result.status`` says why it
    stopped, ``result.success`` is true only for convergence, and ``result.x`` is the best point it saw. Steps to points
    where the value or the gradient is not finite count as too long.

    Args:
        fun: ``fun(x)`` for x in the form of x0, returning a tensor with one number, or ``(value, extras)`` where the
            curvature needs more. For a module: ``fun(module)``, or a training closure without argument, as it is.
        x0: a tensor, a dict of tensors, a module, or its parameters. A tensor and a dict are left alone; parameters
            hold the best point at the end.
        method: a name out of ``METHODS`` or a :class:`Method`; ``auto`` by default (``newton-cg``, and
            ``bfgs`` where that does not converge), ``l-bfgs-b`` with bounds.
        jac: the gradient as a function of x; or True if fun returns (value, gradient). Autograd by default.
        hvp: where Hessian products come from: ``"auto"`` (exact, differences of gradients where second derivatives do
            not exist), another name out of ``CURVATURES``, a :class:`Curvature`, or a function (x, v) ↦ Hv.
        hess: the Hessian matrix (n, n) as a function of x, in place of ``hvp``.
        bounds: (lower, upper), each None, a number, or in the form of x0; None and ±inf leave a side open.
        gtol: stop at ‖g‖∞ ≤ gtol · min(1, largest ‖g‖∞ seen); 1e-6 in float64, 1e-5 in float32, 1e-2 in half precision.
        maxiter: iterations at most (200 per unknown, between 1,000 and 20,000).
        maxfev: evaluations at most (no limit of its own).
        max_seconds: seconds at most.
        callback: called as callback(x, iteration) after every accepted iterate; it may raise StopIteration.
        options: fields of the method, by name: ``{"memory": 20}`` for ``l-bfgs``.

    Returns:
        a :class:`Result`.

    Raises:
        ValueError: unknown names, wrong shapes, l > u, a setting that the method would ignore, a function without
            gradient.
        NotDeterministic: a closure that gives two values at one point.

    >>> rosenbrock = lambda x: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    >>> result = minimize(rosenbrock, torch.tensor([-1.2, 1.0], dtype=torch.float64))
    >>> result.status.name, [round(float(each), 6) for each in result.x]
    ('CONVERGED_GRADIENT', [1.0, 1.0])
    """
    layout, tensors = layout_of(x0)
    chosen = _method(method, options, bounds is not None)
    box = bounds_of(bounds, layout)
    _check_ignored(chosen, box, hvp, hess)
    curvature = None
    if chosen.needs_curvature:
        curvature = GivenMatrix(hess) if hess is not None else curvature_of("auto" if hvp is None else hvp)
    source = source_of(fun, x0, layout, tensors, jac)
    limits = Limits(maxfev, maxiter, max_seconds)
    objective = Objective(source, curvature, limits, box)
    start = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    if box is not None:
        start = box.clip_start(start)
    gtol = _tolerance(gtol, layout.dtype)
    if isinstance(source, ModuleSource):
        objective.nfev += 2
        check_deterministic(lambda: float(source.record(start).loss.detach()), objective.eps)
    monitor = chosen.monitor(objective, gtol, callback)
    result = monitor.run(lambda: chosen.solve(objective, objective.at(start), monitor))
    if isinstance(source, ModuleSource):
        source.place(torch.cat([part.reshape(-1) for part in result.x]))
    return result


def _method(method: str | Method | None, options: Mapping[str, Any] | None, bounded: bool) -> Method:
    """The method asked for, with its options."""
    if isinstance(method, Method):
        if options:
            raise ValueError(f"options={dict(options)} beside a {type(method).__name__}; set its fields instead")
        return method
    name = method or ("l-bfgs-b" if bounded else "auto")
    if name not in METHODS:
        raise ValueError(f"method={name!r} is unknown; known are {', '.join(METHODS)}, or give a Method")
    maker = METHODS[name]
    known = {*signature(maker).parameters, *signature(getattr(maker, "settings", maker)).parameters} - {"options"}
    unknown = [key for key in options or {} if key not in known]
    if unknown:
        raise ValueError(f"{name} has no option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
    return maker(**(options or {}))


def _check_ignored(method: Method, box: Bounds | None, hvp: Any, hess: Any) -> None:
    """Refuse settings that the method would ignore."""
    if box is not None and not method.takes_bounds:
        able = ", ".join(name for name, maker in METHODS.items() if getattr(maker, "takes_bounds", False))
        raise ValueError(f"this method does not keep bounds; use one that does: {able}")
    if hvp is not None and hess is not None:
        raise ValueError("hvp and hess are both given; give one of them")
    if (hvp is not None or hess is not None) and not method.needs_curvature:
        name = "hvp" if hvp is not None else "hess"
        raise ValueError(
            f"this method uses no second derivatives, so {name} would be ignored; leave it out, or use trust-ncg"
        )


def _tolerance(gtol: float | None, dtype: torch.dtype) -> float:
    if gtol is None:
        return GTOL.get(dtype, 1e-2)
    if not gtol >= 0:
        raise ValueError(f"gtol={gtol!r} must not be negative; 1e-6 is usual in float64, 1e-5 in float32")
    return float(gtol)
