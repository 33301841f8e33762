"""What least_squares returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.solvers.outcome.result import Result


@dataclass(frozen=True)
class LeastSquaresResult(Result):
    """A :class:`Result` whose ``fun`` is the cost ½ Σ ρ and whose ``jac`` is its gradient, with what a fit has besides.

    Attributes:
        residuals: r at x, (m,).
        jacobian: J at x, (m, n); None where only its products were used.
        optimality: the part of ‖r‖ that a linear fit could still remove, ‖P r‖ / ‖r‖, P the projector on the columns
            of J; the cosine of an angle, whatever the units of x and of r.
        active: observations that count fully; with a robust loss Σ ρ', else m.
    """

    derived: ClassVar[tuple[str, ...]] = (*Result.derived, "cost")

    residuals: Tensor = field(repr=False, default_factory=lambda: torch.empty(0, device="cpu"))
    jacobian: Tensor | None = field(repr=False, default=None)
    optimality: float = float("nan")
    active: float = 0.0

    @property
    def cost(self) -> float:
        """½ Σ ρ; for plain least squares ½‖r‖²."""
        return self.fun

    def covariance(self) -> Tensor:
        """The covariance of the estimate, s² (JᵀJ)⁻¹ with s² = ‖r‖² / (m − n), in the order of the flat vector.

        It assumes independent errors of one variance, and a plain loss.

        Raises:
            ValueError: there are no more residuals than unknowns, J has not full rank, or J was not formed.
        """
        if self.jacobian is None:
            raise ValueError('covariance() needs the Jacobian as a matrix; use tr_solver="exact"')
        J, r = self.jacobian.double(), self.residuals.double()
        m, n = J.shape
        if m <= n:
            raise ValueError(f"covariance() needs more residuals than unknowns; there are {m} and {n}")
        size = torch.linalg.vector_norm(J, dim=0).clamp(min=torch.finfo(J.dtype).tiny)
        _, s, Vh = torch.linalg.svd(J / size, full_matrices=False)
        if float(s[-1]) <= max(m, n) * torch.finfo(J.dtype).eps * float(s[0]):
            raise ValueError("the Jacobian has not full rank, so some unknowns are not determined; fix or remove them")
        root = (Vh.T / s) / size[:, None]
        return (r @ r) / (m - n) * (root @ root.T)

    def standard_errors(self) -> Tensor:
        """The square roots of the diagonal of the covariance, (n,)."""
        return self.covariance().diagonal().sqrt()

    def __str__(self) -> str:
        work = f"{self.nit} iterations, {self.nfev} evaluations, {self.njev} Jacobians"
        return f"{self.status.name}: cost = {self.fun:.8g} after {work}. {self.message}"
