"""Result: what a solver found, how it got there, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gradwright.solvers.outcome.status import Status


class Iteration(NamedTuple):
    """One accepted iterate: value, gradient norm (projected where there are bounds), and counts so far."""

    value: float
    gradient: float
    nfev: int
    nhev: int


@dataclass(frozen=True)
class Result:
    """What a solver found, with SciPy's names.

    Attributes:
        x: the best point, in the form of x0.
        fun: the value there.
        jac: the gradient there, in the form of x0.
        status: why it stopped.
        nit: accepted iterations.
        nfev, njev, nhev: evaluations of value and gradient, products with the Hessian.
        trace: one :class:`Iteration` per iterate, the first for the starting point.
        extra: what only this method knows: multipliers, the last penalty.
        note: more about the stop, for this run.
    """

    x: Any
    fun: float
    jac: Any
    status: Status
    nit: int
    nfev: int
    njev: int
    nhev: int
    trace: tuple[Iteration, ...] = field(repr=False, default=())
    extra: dict[str, Any] = field(repr=False, default_factory=dict)
    note: str = ""

    @property
    def success(self) -> bool:
        """Whether it converged."""
        return self.status.success

    @property
    def message(self) -> str:
        """The sentence of the status, and what there is to add for this run."""
        return f"{self.status.sentence} {self.note}".strip()

    def plot(self, ax: Any = None) -> Any:
        """Draw value and gradient norm against evaluations plus Hessian products; needs matplotlib.

        Args:
            ax: two matplotlib axes, for the value and for the gradient; left out, a figure is made.

        Returns:
            the figure.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: ``ax`` are not two axes.
        """
        from gradwright.solvers.outcome.plotting import plot

        return plot(self, ax)

    def __str__(self) -> str:
        work = f"{self.nit} iterations, {self.nfev} evaluations, {self.nhev} Hessian products"
        return f"{self.status.name}: f = {self.fun:.8g} after {work}. {self.message}"
