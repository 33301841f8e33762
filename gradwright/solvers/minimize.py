"""minimize: one verb for every method, with SciPy's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from gradwright.solvers.batched import BatchResult, minimize_batch
from gradwright.solvers.constrained.constraint import constraints_of
from gradwright.solvers.curvature import Curvature, GivenMatrix, curvature_of
from gradwright.solvers.outcome.result import Result
from gradwright.solvers.problem.bounds import bounds_of
from gradwright.solvers.problem.budget import Limits
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import ModuleSource, source_of
from gradwright.solvers.registry import known_name, method_of, options_of
from gradwright.solvers.run.method import Method
from gradwright.solvers.scipy_terms import callback_of, one_of, with_options

GTOL = {torch.float64: 1e-6, torch.float32: 1e-5}

BATCHED = ("bfgs",)
"""Methods that solve many problems at once."""


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    method: str | Method | None = None,
    *,
    args: tuple[Any, ...] = (),
    jac: Callable[..., Any] | bool | None = None,
    hvp: str | Curvature | Callable[..., Any] | None = None,
    hess: Callable[..., Any] | None = None,
    hessp: Callable[..., Any] | None = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    gtol: float | None = None,
    maxiter: int | None = None,
    maxfev: int | None = None,
    max_seconds: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    batch: bool = False,
) -> Result | BatchResult:
    """Minimise a smooth function of many variables, with or without bounds and constraints.

    Nothing in it depends on the units of f, and it never claims more than it knows: ``result.status`` says why it
    stopped, ``result.success`` is true only for convergence, and ``result.x`` is the best point it saw. Steps to points
    where the value or the gradient is not finite count as too long.

    Args:
        fun: ``fun(x, *args)`` for x in the form of x0, returning a tensor with one number, or ``(value, extras)`` where
            the curvature needs more. For a module: ``fun(module)``, or a training closure without argument, as it is.
        x0: a tensor, a dict of tensors, a module, or its parameters. A tensor and a dict are left alone; parameters
            hold the best point at the end. With bounds it is moved inside.
        method: a name out of ``METHODS``, whatever its capitals, SciPy's ``"SLSQP"`` and ``"trust-constr"`` for ``sqp``
            and ``"CG"`` for ``nonlinear-cg`` too, or a :class:`Method`. None chooses: ``sqp`` with constraints
            (``augmented-lagrangian`` above 1,000 unknowns), ``l-bfgs-b`` with bounds alone, ``auto`` otherwise
            (``newton-cg``, and ``bfgs`` where that does not converge).
        args: more arguments of fun, jac, hess (after x) and hvp (after v).
        jac: the gradient as a function of x; or True if fun returns (value, gradient). Autograd by default.
        hvp: where Hessian products come from: ``"auto"`` (exact, differences of gradients where second derivatives do
            not exist), another name out of ``CURVATURES``, a :class:`Curvature`, or a function (x, v) ↦ Hv.
        hess: the Hessian matrix (n, n) as a function of x, in place of ``hvp``.
        hessp: SciPy's name for ``hvp`` as a function.
        bounds: (lower, upper), each None, a number, or in the form of x0; None and ±inf leave a side open. SciPy's
            ``Bounds`` and, for a tensor, its sequence of (min, max) pairs are understood too.
        constraints: one or a list of :class:`Constraint`, of SciPy's dictionaries {"type": "eq" | "ineq", "fun": ...},
            or of SciPy's constraint objects. Their functions get x in the form of x0 and return torch tensors.
        tol: SciPy's name for ``gtol``.
        gtol: of the gradient, a number without unit: see :class:`gradwright.solvers.run.convergence.GradientTest`; 1e-6
            in float64, 1e-5 in float32, 1e-2 in half precision. With constraints g is the gradient of the Lagrangian.
        maxiter: iterations at most (200 per unknown, between 1,000 and 20,000).
        maxfev: evaluations at most (no limit of its own).
        max_seconds: seconds at most.
        callback: called as callback(x, iteration) after every accepted iterate, the start too; or as SciPy calls it,
            ``callback(xk)`` and ``callback(intermediate_result)``, after every iteration. It may raise StopIteration.
        options: fields of the method, by name: ``{"memory": 20}`` for ``l-bfgs``. As in SciPy, ``maxiter``, ``maxfev``
            (``maxfun``), ``gtol`` and ``disp`` (print the result) may stand here too.
        batch: solve one problem for each row of x0 (B, ...), by ``bfgs`` on all of them at once: ``fun`` returns (B,),
            ``args`` are tensors with B rows, and the answer is a :class:`BatchResult`; see :func:`minimize_batch`. Of
            the other settings ``gtol`` and ``maxiter`` apply.

    Returns:
        a :class:`Result`. With constraints ``result.extra`` holds ``multipliers`` (one vector for each constraint,
        positive where an upper side pushes), ``bound_multipliers``, ``constraints`` (their values), ``violation``,
        ``stationarity`` and ``ncev``. At a solution ∇f + Jᵀλ + ν = 0.

    Raises:
        ValueError, TypeError: unknown names, wrong shapes, l > u, a setting that the method would ignore, a function
            or a constraint without gradient.
        NotDeterministic: a function that draws random numbers, or a closure, gives two values at x0.

    >>> rosenbrock = lambda x: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    >>> result = minimize(rosenbrock, torch.tensor([-1.2, 1.0], dtype=torch.float64))
    >>> result.status.name, [round(float(each), 6) for each in result.x]
    ('CONVERGED_GRADIENT', [1.0, 1.0])
    >>> disc = {"type": "ineq", "fun": lambda x: 1 - (x * x).sum()}
    >>> result = minimize(lambda x: x.sum(), torch.zeros(2, dtype=torch.float64), constraints=disc)
    >>> result.status.name, [round(float(each), 6) for each in result.x]
    ('CONVERGED_GRADIENT', [-0.707107, -0.707107])
    """
    more = args if isinstance(args, tuple) else (args,)
    asked, method = constraints_of(constraints), known_name(method)
    hvp, gtol = one_of("hvp", hvp, "hessp", hessp), one_of("gtol", gtol, "tol", tol)
    limits = {"gtol": gtol, "maxiter": maxiter, "maxfev": maxfev, "max_seconds": max_seconds, "disp": None}
    limits, rest = with_options(options, limits, options_of(method) if isinstance(method, str) else ())
    if batch:
        given = {"jac": jac, "hvp": hvp, "hess": hess, "bounds": bounds, "constraints": asked or None}
        ignored = {"callback": callback, "options": rest or None}
        _check_batch(method, {**given, **ignored, **{key: limits[key] for key in ("maxfev", "max_seconds", "disp")}})
        return minimize_batch(fun, x0, args=more, gtol=limits["gtol"], maxiter=limits["maxiter"])
    layout, tensors = layout_of(x0)
    chosen = method_of(method, rest, asked, bounds is not None, layout.size)
    box = bounds_of(bounds, layout)
    _check_curvature(chosen, hvp, hess)
    fun, jac, hvp, hess = (_bound(each, more) for each in (fun, jac, hvp, hess))
    curvature = None
    if chosen.needs_curvature:
        curvature = GivenMatrix(hess) if hess is not None else curvature_of("auto" if hvp is None else hvp)
    source = source_of(fun, x0, layout, tensors, jac)
    spent = Limits(limits["maxfev"], limits["maxiter"], limits["max_seconds"])
    objective = Objective(source, curvature, spent, box)
    start = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    if box is not None:
        start = box.clip_start(start)
    gtol = _tolerance(limits["gtol"], layout.dtype)
    first = objective.begin(start, twice=isinstance(source, ModuleSource))
    objective.measure_in_unit_of(first)
    monitor = chosen.monitor(objective, gtol, callback_of(callback))
    result = monitor.run(lambda: chosen.solve(objective, first, monitor))
    if isinstance(source, ModuleSource):
        source.place(torch.cat([part.reshape(-1) for part in result.x]))
    if limits["disp"]:
        print(result)
    return result


def _bound(function: Any, args: tuple[Any, ...]) -> Any:
    """A function of the user's with its last arguments filled in; names and values that are no functions stay."""
    if not args or not callable(function) or isinstance(function, Curvature):
        return function
    return lambda *first: function(*first, *args)


def _check_curvature(method: Method, hvp: Any, hess: Any) -> None:
    """Refuse second derivatives that are given twice, are no function, or that the method would ignore."""
    if hess is not None and not callable(hess):
        raise TypeError(f"hess={hess!r} is no function of x; leave it out: hvp says how curvature is found")
    if hvp is not None and hess is not None:
        raise ValueError("hvp and hess are both given; give one of them")
    if (hvp is not None or hess is not None) and not method.needs_curvature:
        name, other = "hvp" if hvp is not None else "hess", "sqp" if method.takes_constraints else "trust-ncg"
        raise ValueError(
            f"this method uses no second derivatives, so {name} would be ignored; leave it out, or use {other}"
        )


def _check_batch(method: Any, settings: Mapping[str, Any]) -> None:
    """Refuse what has no form for many problems at once."""
    if method is not None and method not in BATCHED:
        shown = f"method={method!r}" if isinstance(method, str) else type(method).__name__
        raise ValueError(f"{shown} has no form for batch=True; use one that has: {', '.join(BATCHED)}, or leave it out")
    for name, value in settings.items():
        if value is not None:
            raise ValueError(
                f"{name} would be ignored by batch=True; leave it out, or solve the problems one by one without batch"
            )


def _tolerance(gtol: float | None, dtype: torch.dtype) -> float:
    if gtol is None:
        return GTOL.get(dtype, 1e-2)
    if not gtol >= 0:
        raise ValueError(f"gtol={gtol!r} must not be negative; 1e-6 is usual in float64, 1e-5 in float32")
    return float(gtol)
