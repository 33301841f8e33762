"""Result: what a solver found, how it got there, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from gradwright.solvers.outcome.fields import Fields
from gradwright.solvers.outcome.plotting import plot
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Trace


@dataclass(frozen=True)
class Result(Fields):
    """What a solver found, with SciPy's names; ``result["x"]`` is ``result.x``.

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

    derived: ClassVar[tuple[str, ...]] = ("success", "message")

    x: Any
    fun: float
    jac: Any
    status: Status
    nit: int
    nfev: int
    njev: int
    nhev: int
    trace: Trace = field(repr=False, default=())
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

        What is drawn is the distance of the value from the lowest, or from the last with constraints: on the way there
        it may be lower, where constraints are violated.

        Args:
            ax: two matplotlib axes, for the value and for the gradient; left out, a figure is made.

        Returns:
            the figure.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: ``ax`` are not two axes.
        """
        lowest = min((each.value for each in self.trace), default=self.fun)
        reference = self.fun if "violation" in self.extra else lowest
        return plot(self.trace, reference, f"{self.status.name}, {self.nit} iterations", ax)

    def __str__(self) -> str:
        work = f"{self.nit} iterations, {self.nfev} evaluations, {self.nhev} Hessian products"
        return f"{self.status.name}: f = {self.fun:.8g} after {work}. {self.message}"
