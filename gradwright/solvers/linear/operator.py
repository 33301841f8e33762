"""LinearOperator: a matrix that is known by its products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LinearOperator:
    """A matrix A of shape (rows, columns) that is known by v ↦ Av, and v ↦ Aᵀv where it is not symmetric.

    Args:
        shape: (rows, columns).
        matvec: v (columns,) ↦ Av (rows,).
        rmatvec: u (rows,) ↦ Aᵀu (columns,); left out, A is symmetric.

    >>> double = LinearOperator((2, 2), lambda v: 2 * v)
    >>> (double + 1.0 * double) @ torch.ones(2)
    tensor([4., 4.])
    """

    shape: tuple[int, int]
    matvec: Product
    rmatvec: Product | None = None

    def __post_init__(self) -> None:
        if self.rmatvec is None and self.shape[0] != self.shape[1]:
            raise ValueError(f"LinearOperator of shape {self.shape} cannot be symmetric; give rmatvec")

    @property
    def symmetric(self) -> bool:
        return self.rmatvec is None

    @property
    def T(self) -> LinearOperator:
        """The transpose."""
        if self.rmatvec is None:
            return self
        return LinearOperator(self.shape[::-1], self.rmatvec, self.matvec)

    def __matmul__(self, v: Tensor) -> Tensor:
        if v.shape != self.shape[1:]:
            raise ValueError(f"an operator of shape {self.shape} cannot be applied to a vector of {tuple(v.shape)}")
        return self.matvec(v)

    def __add__(self, other: LinearOperator) -> LinearOperator:
        if self.shape != other.shape:
            raise ValueError(f"operators of shapes {self.shape} and {other.shape} cannot be added")
        symmetric = self.symmetric and other.symmetric
        back = None if symmetric else (lambda u: self.T.matvec(u) + other.T.matvec(u))
        return LinearOperator(self.shape, lambda v: self.matvec(v) + other.matvec(v), back)

    def __mul__(self, factor: float) -> LinearOperator:
        back = None if self.symmetric else (lambda u: factor * self.T.matvec(u))
        return LinearOperator(self.shape, lambda v: factor * self.matvec(v), back)

    __rmul__ = __mul__

    def shifted(self, damping: float | Tensor) -> LinearOperator:
        """A + λI, or A + diag(λ) for a vector."""
        back = None if self.symmetric else (lambda u: self.T.matvec(u) + damping * u)
        return LinearOperator(self.shape, lambda v: self.matvec(v) + damping * v, back)

    def dense(self, like: Tensor) -> Tensor:
        """The matrix itself, by one product per column, in the dtype and on the device of ``like``."""
        eye = torch.eye(self.shape[1], dtype=like.dtype, device=like.device)
        return torch.stack([self.matvec(column) for column in eye], dim=1)

    def diagonal(self, like: Tensor, probes: int | None = None, generator: torch.Generator | None = None) -> Tensor:
        """The diagonal: exact by n products, or estimated as E[v ⊙ Av] over ``probes`` random vectors of signs."""
        size = self.shape[0]
        if probes is None:
            return self.dense(like).diagonal().clone()
        total = torch.zeros(size, dtype=like.dtype, device=like.device)
        for _ in range(probes):
            signs = torch.randint(0, 2, (size,), generator=generator, device="cpu").to(like) * 2 - 1
            total += signs * self.matvec(signs)
        return total / probes


def as_operator(matrix: Tensor | LinearOperator) -> LinearOperator:
    """A matrix as an operator; it counts as symmetric if it equals its transpose."""
    if isinstance(matrix, LinearOperator):
        return matrix
    rows, columns = matrix.shape
    back = None if rows == columns and torch.equal(matrix, matrix.T) else (lambda u: matrix.T @ u)
    return LinearOperator((rows, columns), lambda v: matrix @ v, back)
