"""Gram matrices of a tensor along its dimensions: their eigenvectors, roots, and products with them."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.core import ParamSpec


def sides(spec: ParamSpec, largest: int) -> list[int]:
    """The dimensions of a tensor of two or more that are worth a Gram matrix: from 2 to ``largest`` slices."""
    if spec.own_ndim < 2:
        return []
    return [k for k, size in enumerate(spec.own_shape) if 1 < size <= largest]


def gram(g: Tensor, dim: int) -> Tensor:
    """The inner products between the slices of ``g`` along a dimension."""
    slices = g.movedim(dim, 0).flatten(1) if g.dim() > 1 else g[:, None]
    return slices @ slices.mT


def rotated(g: Tensor, bases: dict[int, Tensor]) -> Tensor:
    """``g`` in the coordinates of the columns of these bases, each for its dimension."""
    for dim, basis in bases.items():
        g = torch.tensordot(g, basis, dims=([dim], [0])).movedim(-1, dim)
    return g


def eigenvectors(matrix: Tensor) -> Tensor:
    """The eigenvectors of a symmetric matrix as columns, those of the largest eigenvalues first.

    Where it is not finite they are the axes: what is wrong with the gradient shows elsewhere, and the step goes on.
    """
    return torch.linalg.eigh(finite(matrix)).eigenvectors.flip(1)


def inverse_root(matrix: Tensor, power: float, eps: float) -> Tensor:
    """(A + ε I)^(−1 / power) of a symmetric matrix without negative eigenvalues but for rounding.

    Rounding may leave an eigenvalue a little below zero: all are raised until none is. Not finite, it counts as I.
    """
    values, vectors = torch.linalg.eigh(finite(matrix))
    values = values - values.min().clamp(max=0.0) + eps
    return (vectors * values.pow(-1 / power)) @ vectors.mT


def finite(matrix: Tensor) -> Tensor:
    """A square matrix, or several, with the identity in the place of one that is not finite."""
    axes = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.where(matrix.isfinite().all(-1, keepdim=True).all(-2, keepdim=True), matrix, axes)
