"""root: where as many functions as unknowns vanish, with SciPy's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from gradwright.solvers.least_squares import RULES, least_squares
from gradwright.solvers.outcome.fields import Fields
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Trace
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.residuals import LeastSquaresResult
from gradwright.solvers.scipy_terms import ROOT, method_name, one_of, with_options

REMOVED = 0.5
"""At a root the full step removes all of f; at a minimum of ‖f‖ above zero it removes nothing."""


@dataclass(frozen=True)
class RootResult(Fields):
    """What :func:`root` found.

    Attributes:
        x: the point, in the form of x0.
        fun: the functions there, (n,).
        jac: their Jacobian there, (n, n).
        status: why it stopped; ``NO_ROOT`` where ‖f‖ has a minimum above zero.
        nit, nfev, njev: iterations, evaluations and Jacobians.
        trace: one :class:`Iteration` per iterate, with ½‖f‖².
        note: more about the stop, for this run.
    """

    derived: ClassVar[tuple[str, ...]] = ("success", "message")

    x: Any
    fun: Tensor
    jac: Tensor | None = field(repr=False)
    status: Status
    nit: int
    nfev: int
    njev: int
    trace: Trace = field(repr=False, default=())
    note: str = ""

    @property
    def success(self) -> bool:
        """Whether it is a root."""
        return self.status.success

    @property
    def message(self) -> str:
        """The sentence of the status, and what there is to add for this run."""
        return f"{self.status.sentence} {self.note}".strip()

    def __str__(self) -> str:
        size = float(self.fun.abs().max())
        return (
            f"{self.status.name}: |f| = {size:.3g} after {self.nit} iterations, {self.nfev} evaluations. {self.message}"
        )


def root(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    method: str | None = None,
    jac: str | Callable[[Any], Any] | None = None,
    *,
    tol: float | None = None,
    xtol: float | None = None,
    max_nfev: int | None = None,
    maxiter: int | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> RootResult:
    """Solve f(x) = 0 for as many functions as unknowns.

    By least squares of f, whose steps come from the exact Jacobian. It is a root only where the full Newton step is
    below ``xtol`` of x and would remove f, or where f is exactly zero; a minimum of ‖f‖ above zero ends as ``NO_ROOT``.

    Args:
        fun: ``fun(x, *args)`` in torch, for x in the form of x0, returning n numbers.
        x0: a tensor or a dict of tensors, n numbers.
        args: more arguments of fun.
        method: ``"dogleg"`` (by itself; SciPy's ``"hybr"`` too), which takes the Newton step wherever it fits and so
            reaches roots where J is singular; ``"lm"``, the safer of both on the way; or ``"gauss-newton"``.
        jac: as in :func:`least_squares`.
        tol: SciPy's name for ``xtol``.
        xtol: 1e-8 in float64, 1e-4 in float32.
        max_nfev: evaluations at most.
        maxiter: iterations at most (200 per unknown, between 1,000 and 20,000).
        callback: as in :func:`minimize`.
        options: fields of the rule; ``xtol``, ``maxiter`` and ``max_nfev`` (``maxfev``) may stand here too.

    Raises:
        ValueError, TypeError: as :func:`least_squares`; fun returns another number of values than there are unknowns.

    >>> import torch
    >>> circle = lambda x: torch.stack([x[0] ** 2 + x[1] ** 2 - 4, x[0] - x[1]])
    >>> result = root(circle, torch.tensor([1.0, 0.5], dtype=torch.float64))
    >>> result.success, [round(float(each), 6) for each in result.x]
    (True, [1.414214, 1.414214])
    """
    xtol = one_of("xtol", xtol, "tol", tol)
    given = {"maxfev" if name == "max_nfev" else name: value for name, value in (options or {}).items()}
    limits, rest = with_options(given, {"xtol": xtol, "maxfev": max_nfev, "maxiter": maxiter})
    layout, _ = layout_of(x0)
    if layout.form == "parameters":
        raise TypeError("x0 holds parameters; give a tensor or a dict of tensors")
    name = "dogleg" if method is None else method_name(method, RULES, ROOT)

    def square(x: Any) -> Any:
        value = fun(x, *args)
        if isinstance(value, Tensor) and value.numel() != layout.size:
            raise ValueError(
                f"fun returned {value.numel()} numbers for {layout.size} unknowns; give as many, or use least_squares"
            )
        return value

    fit = least_squares(
        square, x0, jac, method=name, gtol=0.0, xtol=limits["xtol"], max_nfev=limits["maxfev"],
        maxiter=limits["maxiter"], callback=callback, options=rest, tr_solver="exact",
    )  # fmt: skip
    return RootResult(
        fit.x, fit.residuals, fit.jacobian, _status(fit), fit.nit, fit.nfev, fit.njev, fit.trace, _note(fit)
    )


def _status(fit: LeastSquaresResult) -> Status:
    """What an end of the least squares says of f(x) = 0."""
    if fit.cost == 0:
        return Status.CONVERGED_GRADIENT
    if fit.status is Status.CONVERGED_STEP and fit.optimality >= REMOVED:
        return Status.CONVERGED_STEP
    settled = fit.status in (Status.CONVERGED_STEP, Status.CONVERGED_GRADIENT, Status.NOISE_FLOOR, Status.STALLED)
    return Status.NO_ROOT if settled else fit.status


def _note(fit: LeastSquaresResult) -> str:
    return "" if fit.status.success and fit.cost == 0 else fit.note
