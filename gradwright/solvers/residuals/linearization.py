"""r(x + p) ≈ r + Jp at one point, and the linear least-squares problems that steps come from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from gradwright.solvers.linear import lsmr
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import norm


class Linearization(Protocol):
    """J and r at one point. D is a positive vector that measures p: ‖Dp‖."""

    @property
    def r(self) -> Tensor:
        """The residuals."""
        ...

    @property
    def gradient(self) -> Tensor:
        """Jᵀr."""
        ...

    @property
    def columns(self) -> Tensor:
        """The norms of the columns of J."""
        ...

    def apply(self, p: Tensor) -> Tensor:
        """Jp, or Qᵀ Jp with orthogonal columns Q: its length and products with others of its kind are those of Jp."""
        ...

    def fall(self, p: Tensor, damping: float, D: Tensor) -> float:
        """By how much ½‖r‖² falls with p = ``damped(λ, D)``, which for λ = 0 is ``full(D)``."""
        ...

    def damped(self, damping: float, D: Tensor) -> Tensor:
        """The minimiser of ‖Jp + r‖² + λ ‖Dp‖²."""
        ...

    def full(self, D: Tensor) -> Tensor:
        """The minimiser of ‖Jp + r‖, the one of least ‖Dp‖ where there are several: the Gauss-Newton step."""
        ...


class _Stationary:
    """What holds for minimisers over all p."""

    def apply(self, p: Tensor) -> Tensor:
        raise NotImplementedError

    def fall(self, p: Tensor, damping: float, D: Tensor) -> float:
        """½‖Jp‖² + λ‖Dp‖²: for a minimiser the same as −gᵀp − ½‖Jp‖², without its cancellation."""
        return 0.5 * norm(self.apply(p)) ** 2 + damping * norm(D * p) ** 2


@dataclass(frozen=True)
class Dense(_Stationary):
    """J as a matrix. One QR factorisation without Q makes every later system as small as n × n.

    Args:
        J: (m, n).
        r: (m,).
    """

    J: Tensor
    r: Tensor

    @cached_property
    def gradient(self) -> Tensor:
        return self.J.T @ self.r

    @cached_property
    def columns(self) -> Tensor:
        return torch.linalg.vector_norm(self.J, dim=0)

    @cached_property
    def reduced(self) -> tuple[Tensor, Tensor]:
        """R and c with ‖Jp + r‖² = ‖Rp + c‖² + a constant."""
        m, n = self.J.shape
        if m <= n:
            return self.J, self.r
        triangle = torch.linalg.qr(torch.cat([self.J, self.r[:, None]], dim=1), mode="r").R
        return triangle[:n, :n], triangle[:n, n]

    def apply(self, p: Tensor) -> Tensor:
        return self.reduced[0] @ p

    def damped(self, damping: float, D: Tensor) -> Tensor:
        R, c = self.reduced
        scaled, n = R / D, R.shape[1]
        if len(R) < n:
            p = self._dual(scaled, c, damping)
            if p is not None:
                return p / D
        eye = torch.eye(n, dtype=R.dtype, device=R.device) * math.sqrt(damping)
        right = torch.cat([c, c.new_zeros(n)])
        triangle = torch.linalg.qr(torch.cat([torch.cat([scaled, eye]), right[:, None]], dim=1), mode="r").R
        p = -torch.linalg.solve_triangular(triangle[:n, :n], triangle[:n, n:], upper=True)[:, 0]
        if not bool(p.isfinite().all()):
            p = _minimum_norm(scaled, c)
        return p / D

    @staticmethod
    def _dual(A: Tensor, c: Tensor, damping: float) -> Tensor | None:
        """p = −Aᵀ (AAᵀ + λI)⁻¹ c by Cholesky, where there are fewer rows than columns; None if it breaks down."""
        gram = A @ A.T
        gram.diagonal().add_(damping)
        factor, info = torch.linalg.cholesky_ex(gram)
        if int(info):
            return None
        p = -(A.T @ torch.cholesky_solve(c[:, None], factor)[:, 0])
        return p if bool(p.isfinite().all()) else None

    def full(self, D: Tensor) -> Tensor:
        R, c = self.reduced
        scaled = R / D
        if R.shape[0] == R.shape[1]:
            diagonal = scaled.diagonal().abs()
            if float(diagonal.min()) > 1e-8 * float(diagonal.max()) and self.J.shape[0] > self.J.shape[1]:
                return -torch.linalg.solve_triangular(scaled, c[:, None], upper=True)[:, 0] / D
        return _minimum_norm(scaled, c) / D


def _minimum_norm(A: Tensor, c: Tensor) -> Tensor:
    """−A⁺c by singular values, those below max(m, n) ε of the largest left out."""
    U, s, Vh = torch.linalg.svd(A, full_matrices=False)
    keep = s > max(A.shape) * torch.finfo(A.dtype).eps * s.max()
    along = torch.where(keep, (U.T @ c) / torch.where(keep, s, 1.0), torch.zeros_like(s))
    return -(Vh.T @ along)


@dataclass(frozen=True)
class Products(_Stationary):
    """J by its products; systems are solved by LSMR, which never squares the condition number.

    Args:
        J: m × n.
        r: (m,).
        rtol: of LSMR.
        maxiter: pairs of products in one solve.
        probes: random vectors of signs s in ‖column j‖² ≈ mean (Jᵀs)ⱼ².
    """

    J: LinearOperator
    r: Tensor
    rtol: float = 1e-3
    maxiter: int = 200
    probes: int = 8

    @cached_property
    def gradient(self) -> Tensor:
        return self.J.T @ self.r

    @cached_property
    def columns(self) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        total = torch.zeros_like(self.gradient)
        for _ in range(self.probes):
            signs = torch.randint(0, 2, (len(self.r),), generator=generator, device="cpu").to(self.r) * 2 - 1
            total += (self.J.T @ signs).square()
        return (total / self.probes).sqrt()

    def apply(self, p: Tensor) -> Tensor:
        return self.J @ p

    def damped(self, damping: float, D: Tensor) -> Tensor:
        scaled = LinearOperator(self.J.shape, lambda v: self.J @ (v / D), lambda u: (self.J.T @ u) / D)
        return lsmr(scaled, -self.r, math.sqrt(damping), self.rtol, self.maxiter).x / D

    def full(self, D: Tensor) -> Tensor:
        return self.damped(0.0, D)
