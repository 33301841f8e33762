"""least_squares: fit by the residuals themselves, with SciPy's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.problem.bounds import Bounds, bounds_of
from gradwright.solvers.problem.budget import Limits
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.layout import Layout, layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import ModuleSource, source_of
from gradwright.solvers.residuals import Dogleg, GaussNewtonSearch, LeastSquaresResult, LevenbergMarquardt, Rule
from gradwright.solvers.residuals import jacobian as jacobians
from gradwright.solvers.residuals.loop import Run
from gradwright.solvers.residuals.problem import Residuals, with_cost
from gradwright.solvers.residuals.robust import rho_of
from gradwright.solvers.scipy_terms import LEAST_SQUARES, REFUSED, callback_of, method_name

RULES: dict[str, Callable[..., Rule]] = {"lm": LevenbergMarquardt, "gauss-newton": GaussNewtonSearch, "dogleg": Dogleg}
"""Rules by name; their fields are the options of ``least_squares``."""

GTOL = {torch.float64: 1e-7, torch.float32: 1e-3}
XTOL = {torch.float64: 1e-8, torch.float32: 1e-4}


def least_squares(
    residuals: Callable[..., Any],
    x0: Any,
    jac: str | Callable[[Any], Any] | None = None,
    *,
    method: str | Rule | None = None,
    loss: str | Callable[[Tensor], Any] = "linear",
    f_scale: float = 1.0,
    x_scale: str | float | Any = "jac",
    bounds: Any = None,
    ftol: None = None,
    gtol: float | None = None,
    xtol: float | None = None,
    max_nfev: int | None = None,
    maxiter: int | None = None,
    max_seconds: float | None = None,
    tr_solver: str | None = None,
    callback: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> LeastSquaresResult:
    """Minimise ½ f_scale² Σ ρ((rᵢ(x) / f_scale)²), for plain least squares ½‖r(x)‖².

    It has converged when the full Gauss-Newton step could remove no more than ``gtol`` of ‖r‖ — the cosine of the angle
    between r and the columns of J, which depends on no unit of x or r (Bates and Watts 1981) — or when that step is
    below ``xtol`` of x in units of J's columns, which is how fits without a residual end. Both tests look at the
    undamped step: a λ that became large, or a radius that became small, is never taken for convergence. Steps to
    points where something is not finite count as too long. With bounds the full step is the one inside the box.

    Args:
        residuals: ``residuals(x, *args, **kwargs)`` for x in the form of x0, returning a tensor of any shape or a tuple
            of tensors. For a module: ``residuals(module)``, or a function without argument over parameters.
        x0: a tensor, a dict of tensors, a module, or its parameters. Parameters hold the best point at the end.
        jac: None for autograd, by rows or by columns, whichever are fewer; ``"rows"`` or ``"columns"``; ``"3-point"``
            for central differences; or a function of x returning (m, *x0.shape), for a dict a dict of such.
        method: ``"lm"`` (by itself), ``"gauss-newton"``, ``"dogleg"``, whatever their capitals, or a :class:`Rule`.
            SciPy's ``"trf"`` and ``"dogbox"`` stand for ``lm``, which keeps bounds too.
        loss: ρ: ``"linear"``, ``"soft_l1"``, ``"huber"``, ``"cauchy"``, ``"arctan"``, or z ↦ (ρ, ρ', ρ'').
        f_scale: the residual at which ρ begins to differ from z.
        x_scale: ``"jac"`` for the largest column norms of J so far, which makes a run independent of the units of x; or
            the typical sizes of x, as a number or in the form of x0.
        bounds: (lower, upper), each None, a number, or in the form of x0; or SciPy's ``Bounds``. For ``lm``: each step
            minimises its model inside the box. x0 is moved inside.
        ftol: None; refused otherwise, since a small decrease of a damped step says nothing about convergence.
        gtol: 1e-7 in float64, 1e-3 in float32, 1e-2 in half precision.
        xtol: 1e-8 in float64, 1e-4 in float32, 1e-2 in half precision.
        max_nfev: evaluations of the residuals at most.
        maxiter: iterations at most (200 per unknown, between 1,000 and 20,000).
        max_seconds: seconds at most.
        tr_solver: ``"exact"`` (J as a matrix, QR) or ``"lsmr"`` (products with J and Jᵀ only); the latter by itself
            where J has more than fifty million entries.
        callback: as in :func:`minimize`: ``callback(x, iteration)``, or one of SciPy's forms.
        options: fields of the rule, by name: ``{"radius": 0.1}`` for ``lm``.

    Returns:
        a :class:`LeastSquaresResult`: ``fun`` is the cost and ``jac`` its gradient, ``residuals``, ``jacobian``,
        ``covariance()`` and ``standard_errors()`` belong to the fit. With bounds ``extra["active_mask"]`` has −1 for
        unknowns on their lower bound, 1 for those on their upper one.

    Raises:
        ValueError, TypeError: unknown names, wrong shapes, settings that would be ignored.

    Where SciPy differs: ``fun`` there is the vector of residuals and ``jac`` their Jacobian, and ``trf`` a method that
    stays in the interior; here a solution may lie on a bound to the last digit.

    >>> t = torch.linspace(0, 4, 20, dtype=torch.float64)
    >>> fit = least_squares(lambda x: x[0] * torch.exp(-x[1] * t) - 3 * torch.exp(-0.5 * t), torch.ones(2).double())
    >>> fit.success, [round(float(each), 6) for each in fit.x]
    (True, [3.0, 0.5])
    """
    if ftol is not None:
        raise ValueError(f"ftol={ftol!r} is SciPy's and not here: {REFUSED['ftol']} or xtol in its place")
    layout, tensors = layout_of(x0)
    rule = _rule("lm" if method is None else method, options)
    box = _box(bounds, layout, rule, tr_solver)
    rho = rho_of(loss)
    if not 0 < f_scale < float("inf"):
        raise ValueError(f"f_scale={f_scale!r} must be positive: the residual at which the loss begins to bend")
    if loss == "linear" and f_scale != 1.0:
        raise ValueError(f'f_scale={f_scale} has no effect on loss="linear"; leave it out, or choose a robust loss')
    if not callable(residuals):
        raise TypeError(f"residuals is a {type(residuals).__name__}; give a function of x")
    bound = _bind(residuals, args, kwargs)
    source = source_of(with_cost(bound, rho, float(f_scale)), x0, layout, tensors, None)
    objective = Objective(source, None, Limits(max_nfev, maxiter, max_seconds), box)
    start = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    start = start if box is None else box.clip_start(start)
    dense = _is_dense(tr_solver, jac)
    run = Run(
        Residuals(objective, _jacobian(jac, objective), dense, rho, float(f_scale)),
        rule,
        _tolerance("gtol", gtol, GTOL, layout.dtype),
        _tolerance("xtol", xtol, XTOL, layout.dtype),
        _scale(x_scale, layout, objective),
        callback_of(callback),
    )
    result = run.solve(start)
    if isinstance(source, ModuleSource):
        source.place(torch.cat([part.reshape(-1) for part in result.x]))
    return result


def _rule(method: str | Rule, options: Mapping[str, Any] | None) -> Rule:
    if isinstance(method, Rule):
        if options:
            raise ValueError(f"options={dict(options)} beside a {type(method).__name__}; set its fields instead")
        return method
    if not isinstance(method, str):
        raise TypeError(f"method is a {type(method).__name__}; give a name out of {', '.join(RULES)}, or a Rule")
    method = method_name(method, RULES, LEAST_SQUARES)
    known = RULES[method].__dataclass_fields__  # type: ignore[attr-defined]
    unknown = [key for key in options or {} if key not in known]
    if unknown:
        raise ValueError(f"{method} has no option {unknown[0]!r}; it has {', '.join(known) or 'none'}")
    return RULES[method](**(options or {}))


def _box(bounds: Any, layout: Layout, rule: Rule, tr_solver: str | None) -> Bounds | None:
    """The bounds, where there are any."""
    box = bounds_of(bounds, layout)
    if box is None or bool((box.lower.isinf() & box.upper.isinf()).all()):
        return None
    if not rule.takes_bounds:
        raise ValueError(f'{type(rule).__name__} keeps no bounds; leave method out, or use "lm"')
    if tr_solver == "lsmr":
        raise ValueError(
            'tr_solver="lsmr" keeps no bounds; leave it out, or use minimize(fun, x0, "l-bfgs-b", bounds=bounds) with '
            "the sum of squares where J is too large for a matrix"
        )
    return box


def _bind(residuals: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Callable[..., Any]:
    if not args and not kwargs:
        return residuals
    return lambda x: residuals(x, *args, **(kwargs or {}))


def _is_dense(tr_solver: str | None, jac: Any) -> bool | None:
    """Whether J is formed; None where its size decides."""
    if tr_solver not in (None, "exact", "lsmr"):
        raise ValueError(f'tr_solver={tr_solver!r} is unknown; "exact" forms J, "lsmr" uses products with it')
    if tr_solver == "lsmr":
        if jac is not None:
            raise ValueError(
                f'tr_solver="lsmr" takes products by autograd, so jac={jac!r} would be ignored; leave it out'
            )
        return False
    return True if tr_solver == "exact" or jac is not None else None


def _jacobian(jac: Any, objective: Objective) -> Callable[[Evaluation, Tensor, Tensor], Tensor]:
    """(evaluation, r, x) ↦ J."""
    layout = objective.source.layout
    if callable(jac):
        return lambda evaluation, r, x: jacobians.given(jac(layout.structured(x)), layout, r.numel())
    known = {None: jacobians.automatic, "rows": jacobians.by_rows, "columns": jacobians.by_columns}
    if jac == "3-point":

        def at(x: Tensor) -> Tensor:
            objective.budget.spend()
            return objective.source.evaluate(x).extras.detach()

        return lambda evaluation, r, x: jacobians.by_differences(at, x)
    if jac in ("2-point", "cs"):
        raise ValueError(f'jac={jac!r} is SciPy\'s and not here; leave it out for autograd, or use "3-point"')
    if jac in RULES:
        raise ValueError(f"jac={jac!r} is a method; give it by name: least_squares(residuals, x0, method={jac!r})")
    if jac not in known:
        raise ValueError(f'jac={jac!r} is unknown; known are "rows", "columns", "3-point", or a function of x')
    form = known[jac]

    def by_autograd(evaluation: Evaluation, r: Tensor, x: Tensor) -> Tensor:
        if not r.requires_grad:
            raise ValueError(
                "residuals do not depend on x through differentiable operations: compute them from x with torch (no "
                '.item(), .numpy(), .detach() or no_grad), give jac, or use jac="3-point"'
            )
        return form(evaluation, r)

    return by_autograd


def _scale(x_scale: Any, layout: Layout, objective: Objective) -> Tensor | None:
    if isinstance(x_scale, str):
        if x_scale != "jac":
            raise ValueError(f'x_scale={x_scale!r} is unknown; "jac", or the typical sizes of x')
        return None
    sizes = layout.flatten(x_scale, "x_scale", fill=1.0)
    if not bool((sizes > 0).all() and sizes.isfinite().all()):
        raise ValueError("x_scale must be positive and finite everywhere: the typical sizes of x")
    return 1 / objective.work(sizes)


def _tolerance(name: str, value: float | None, usual: Mapping[torch.dtype, float], dtype: torch.dtype) -> float:
    if value is None:
        return usual.get(dtype, 1e-2)
    if not value >= 0:
        raise ValueError(f"{name}={value!r} must not be negative; {usual[torch.float64]:g} is usual in float64")
    return float(value)
