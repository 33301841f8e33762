"""curve_fit: the parameters of a function of data, with SciPy's names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.core.warn import warn_user
from gradwright.solvers.least_squares import least_squares
from gradwright.solvers.problem.bounds import bounds_of
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.residuals import LeastSquaresResult


def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = None,
    method: str | None = None,
    jac: Callable[..., Any] | str | None = None,
    *,
    full_output: bool = False,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, LeastSquaresResult]:
    """Fit the parameters p of y ≈ f(x, p₁, p₂, ...) by :func:`least_squares`.

        min over p  ½ Σᵢ ((f(xᵢ, p) − yᵢ) / σᵢ)²

    Args:
        f: ``f(xdata, p1, p2, ...)`` in torch, for p that are tensors with one number, returning the shape of ydata.
        xdata: handed to f; numbers and arrays become tensors, other things stay.
        ydata: a tensor, an array or a list of real numbers, at least as many as parameters.
        p0: the first parameters, a list or a vector. None: 1 for each argument of f after the first, or the middle
            between two bounds.
        sigma: errors of ydata, in its shape; or their covariance matrix (m, m). None for equal ones.
        absolute_sigma: whether sigma is in the units of ydata; otherwise the covariance is scaled so that the fit has a
            reduced χ² of 1. Default False.
        bounds: (lower, upper), each None, a number or like p0; or SciPy's ``Bounds``.
        method, options, settings: as in :func:`least_squares`: ``loss``, ``f_scale``, ``gtol``, ``xtol``,
            ``max_nfev`` (SciPy's ``maxfev`` too), ``callback`` and others.
        jac: ``jac(xdata, p1, p2, ...)`` returning (m, n), or as in :func:`least_squares`. None for autograd.
        full_output: return the result of ``least_squares`` too, as a third value. Default False.

    Returns:
        the parameters (n,) and their covariance (n, n), as SciPy does; inf where the data do not determine it. It is
        that of a fit without bounds: of a parameter on its bound it says too much.

    Raises:
        ValueError, TypeError: shapes that do not fit, numbers that are not finite, settings that mean nothing.
        RuntimeError: the fit did not converge; with the sentence that says why.

    >>> t = torch.linspace(0, 4, 50, dtype=torch.float64)
    >>> popt, pcov = curve_fit(lambda t, a, b: a * torch.exp(-b * t), t, 2.5 * torch.exp(-1.3 * t))
    >>> [round(float(each), 6) for each in popt], tuple(pcov.shape)
    ([2.5, 1.3], (2, 2))
    """
    x, y = _tensor(xdata), _target(ydata)
    if "maxfev" in settings:
        settings["max_nfev"] = settings.pop("maxfev")
    start = _start(f, p0, bounds, y)
    whiten = _whitening(sigma, y)

    def residuals(p: Tensor) -> Tensor:
        value = f(x, *p)
        if not isinstance(value, Tensor) or value.shape != y.shape:
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"f returned {found}, and ydata has shape {tuple(y.shape)}; return a tensor of that shape")
        return whiten(value - y)

    def slopes(p: Tensor) -> Tensor:
        return whiten(torch.as_tensor(jac(x, *p), dtype=y.dtype, device=y.device).reshape(y.numel(), -1))  # type: ignore[operator, misc]

    given = slopes if callable(jac) else jac
    fit = least_squares(residuals, start, given, method=method, bounds=bounds, options=options, **settings)
    if not fit.success:
        raise RuntimeError(f"the parameters were not found: {fit.message} Give another p0, or more evaluations")
    covariance = _covariance(fit, absolute_sigma)
    return (fit.x, covariance, fit) if full_output else (fit.x, covariance)


def _tensor(value: Any) -> Any:
    """Numbers and arrays of them as a tensor; what is none stays."""
    if isinstance(value, Tensor):
        return value
    try:
        found = torch.as_tensor(value, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        return value
    return found if found.is_floating_point() else found.double()


def _target(ydata: Any) -> Tensor:
    y = _tensor(ydata)
    if not isinstance(y, Tensor) or not y.is_floating_point():
        raise TypeError(f"ydata is a {type(ydata).__name__}; give real numbers, as a tensor, an array or a list")
    if not y.numel() or not bool(y.isfinite().all()):
        raise ValueError(
            f"ydata has {int((~y.isfinite()).sum())} of {y.numel()} numbers that are not finite; drop them"
        )
    return y.detach()


def _start(f: Callable[..., Any], p0: Any, bounds: Any, y: Tensor) -> Tensor:
    """p0 as a vector; without one, its length is told by the arguments of f."""
    if p0 is not None:
        start = torch.atleast_1d(torch.as_tensor(p0, dtype=y.dtype, device=y.device).detach())
        if start.dim() != 1:
            raise ValueError(f"p0 has shape {tuple(start.shape)}; give a number for each parameter")
        return start
    try:
        known = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        known = []
    count = len(known) - 1
    if count < 1 or any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in known):
        raise ValueError("the arguments of f do not tell how many parameters there are; give p0")
    start = torch.ones(count, dtype=y.dtype, device=y.device)
    box = bounds_of(bounds, layout_of(start)[0])
    if box is None:
        return start
    low, high = box.lower, box.upper
    middle = torch.where(low.isfinite() & high.isfinite(), 0.5 * (low + high), start)
    return torch.minimum(torch.maximum(middle, torch.where(high.isinf() & (low > 0), low + 1, low)), high)


def _whitening(sigma: Any, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Residuals, or rows of a Jacobian, ↦ those of independent errors of size one, flat along the first dimension."""
    m = y.numel()
    flat = lambda rows: rows.reshape(m, *rows.shape[1:]) if rows.shape[:1] == (m,) else rows.reshape(m)  # noqa: E731
    if sigma is None:
        return flat
    s = torch.as_tensor(sigma, dtype=y.dtype, device=y.device).detach()
    if s.shape == (m, m) and s.shape != y.shape:
        factor, info = torch.linalg.cholesky_ex(s)
        if int(info) or not bool(factor.isfinite().all()):
            raise ValueError("sigma is a matrix that is not positive definite; give a covariance matrix, or errors")

        def whitened(rows: Tensor) -> Tensor:
            columns = flat(rows).reshape(m, -1)
            return torch.linalg.solve_triangular(factor, columns, upper=False).reshape(flat(rows).shape)

        return whitened
    if s.shape != y.shape and s.dim():
        raise ValueError(f"sigma has shape {tuple(s.shape)}, and ydata {tuple(y.shape)}; give that, or ({m}, {m})")
    if not bool((s > 0).all() and s.isfinite().all()):
        raise ValueError("sigma must be positive and finite everywhere; drop rows of no weight instead")
    errors = s.expand(y.shape).reshape(m)
    return lambda rows: flat(rows) / errors.reshape(m, *[1] * (flat(rows).dim() - 1))


def _covariance(fit: LeastSquaresResult, absolute: bool) -> Tensor:
    """(JᵀJ)⁻¹, times the reduced χ² where errors are relative."""
    if fit.jacobian is None:
        raise ValueError('curve_fit needs the Jacobian as a matrix; leave tr_solver out, or use "exact"')
    J = fit.jacobian.double()
    m, n = J.shape
    size = torch.linalg.vector_norm(J, dim=0).clamp(min=torch.finfo(J.dtype).tiny)
    _, s, Vh = torch.linalg.svd(J / size, full_matrices=False)
    poor = m < n or float(s[-1]) <= max(m, n) * torch.finfo(fit.jacobian.dtype).eps * float(s[0])
    if poor or (m <= n and not absolute):
        warn_user(
            "the data do not determine the covariance of the parameters, which is inf; fix some, or give more data"
        )
        return torch.full((n, n), torch.inf, dtype=fit.jacobian.dtype, device=J.device)
    root = (Vh.T / s) / size[:, None]
    scale = 1.0 if absolute else 2 * fit.cost / (m - n)
    return (scale * (root @ root.T)).to(fit.jacobian.dtype)
