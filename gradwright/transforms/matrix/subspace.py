"""Subspaces: the few directions along the shorter side of a matrix in which a low-rank method keeps its state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.core import ParamSpec
from gradwright.core.counter import key_of, normal

MATRICES = "matrix & !embedding & !head"
"""What low-rank methods are for."""


@dataclass(frozen=True)
class Subspace:
    """How a matrix n × m is seen through a basis of k vectors: along its columns where n ≥ m, else along its rows.

    A basis is (m, k) where the matrix is tall or square and (n, k) where it is wide.

    Args:
        shape: n, m.
        rank: k.
    """

    shape: tuple[int, ...]
    rank: int

    @property
    def tall(self) -> bool:
        return self.shape[0] >= self.shape[1]

    @property
    def seen(self) -> tuple[int, int]:
        """The shape of what is seen: n × k, or k × m."""
        return (self.shape[0], self.rank) if self.tall else (self.rank, self.shape[1])

    @property
    def basis(self) -> tuple[int, int]:
        """The shape of a basis."""
        return min(self.shape), self.rank

    @property
    def kept(self) -> int:
        """The dimension that is seen as it is."""
        return 0 if self.tall else 1

    def down(self, matrix: Tensor, basis: Tensor) -> Tensor:
        """The matrix in the coordinates of the basis."""
        return matrix @ basis if self.tall else basis.mT @ matrix

    def up(self, seen: Tensor, basis: Tensor) -> Tensor:
        """The matrix that has these coordinates and nothing else."""
        return seen @ basis.mT if self.tall else basis @ seen

    def leading(self, matrix: Tensor, old: Tensor) -> Tensor:
        """The k leading singular vectors of a matrix along its shorter side, each turned the way of the old one.

        Where it is not finite they are axes: what is wrong with the gradient shows elsewhere, and the step goes on.
        Where there is no old one, the largest entry of a vector is positive.
        """
        safe = torch.where(
            matrix.isfinite().all(), matrix, torch.eye(*self.shape, dtype=matrix.dtype, device=matrix.device)
        )
        left, _, right = torch.linalg.svd(safe, full_matrices=False)
        vectors = (right.mT if self.tall else left)[:, : self.rank]
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        along = (vectors * old).sum(0, keepdim=True)
        return vectors * torch.where(torch.where(along == 0, largest, along) < 0, -1.0, 1.0).to(vectors.dtype)

    def random(self, spec: ParamSpec, turn: float, like: Tensor) -> Tensor:
        """Normal vectors of variance 1 / k, that depend on the parameter's place and on which turn it is alone."""
        empty = like.new_empty(self.basis)
        return normal(key_of(spec.index, turn), empty) / math.sqrt(self.rank)


def view_of(spec: ParamSpec, rank: int, only: str = MATRICES) -> Subspace | None:
    """The view of a parameter through ``rank`` vectors; ``None`` where that is none that is smaller."""
    if spec.is_complex or spec.own_ndim != 2 or not spec.matches(only) or min(spec.shape) <= rank:
        return None
    return Subspace(spec.shape, rank)
