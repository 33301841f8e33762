"""Matrices: how a parameter is seen as one matrix, or as several that are stored as one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradwright.core import ParamSpec

Split = int | tuple[int, ...]
"""How many equal blocks of rows a matrix consists of, or the number of rows of each."""


def is_stack(spec: ParamSpec) -> bool:
    return "stack" in spec.roles


def as_matrix(u: Tensor, spec: ParamSpec) -> Tensor:
    """A convolution (out, in, kh, kw) as (out, in kh kw); a stack of matrices as it is."""
    return u.reshape(u.shape[0], -1) if u.dim() > 2 and not is_stack(spec) else u


def matrix_dimensions(spec: ParamSpec) -> tuple[int, ...]:
    """The dimensions that number the matrices of a stack; none otherwise."""
    return tuple(range(spec.own_ndim - 2)) if is_stack(spec) else ()


def row_dimensions(spec: ParamSpec) -> tuple[int, ...]:
    """The dimensions that number the rows of the matrix, or of the matrices of a stack."""
    return tuple(range(spec.own_ndim - 1)) if is_stack(spec) else (0,)


def column_dimensions(spec: ParamSpec) -> tuple[int, ...]:
    """The dimensions that number the columns of the matrix, or of each matrix of a stack beside those of the stack."""
    return (*matrix_dimensions(spec), spec.own_ndim - 1) if is_stack(spec) else tuple(range(1, spec.own_ndim))


def matrix_shape(spec: ParamSpec) -> tuple[int, int]:
    """Rows and columns of the matrix, or of each matrix of a stack."""
    if is_stack(spec):
        return spec.own_shape[-2], spec.own_shape[-1]
    rows, *others = spec.own_shape
    return rows, math.prod(others)


def check_split(owner: str, split: Any) -> None:
    """Refuse what is no split.

    Raises:
        TypeError: it is neither a whole number nor a tuple of them.
        ValueError: a number in it is below 1.
    """
    sizes = split if isinstance(split, tuple) else (split,)
    if not sizes or any(isinstance(size, bool) or not isinstance(size, int) for size in sizes):
        raise TypeError(
            f"{owner}: split={split!r}; give the number of equal blocks of rows, such as 3, or the rows of each, such "
            "as (512, 128, 128)"
        )
    if min(sizes) < 1:
        raise ValueError(f"{owner}: split={split!r} has a number below 1; a block has at least one row")


def check_matrix(owner: str, spec: ParamSpec, split: Split = 1) -> None:
    """Refuse a parameter that is no real matrix, or whose rows the split does not share out.

    Raises:
        ValueError: says which, and where such a parameter belongs.
    """
    if spec.is_complex or spec.own_ndim < 2:
        kind = "complex" if spec.is_complex else "not a matrix"
        raise ValueError(
            f"{owner}: {spec} is {kind}. Give such parameters to another recipe, as gradwright.presets.muon(model) and "
            "gradwright.build(recipe, model) do"
        )
    _check_rows(owner, spec, split)


def check_blocks(owner: str, spec: ParamSpec, split: int) -> None:
    """Refuse a parameter whose rows are not shared out by a split into equal blocks.

    Raises:
        ValueError: says which, and the way out.
    """
    if split == 1:
        return
    if spec.own_ndim < 2:
        raise ValueError(
            f"{owner}: {spec} is not a matrix, and split={split} cuts matrices into blocks of rows; give it a group of "
            "its own with split=1"
        )
    _check_rows(owner, spec, split)


def _check_rows(owner: str, spec: ParamSpec, split: Split) -> None:
    rows, _ = matrix_shape(spec)
    if (sum(split) != rows) if isinstance(split, tuple) else rows % split:
        wrong = f"add up to {sum(split)}" if isinstance(split, tuple) else "does not divide them"
        raise ValueError(
            f"{owner}: {spec} has {rows} rows, and split={split!r} {wrong}; give this parameter a group of its own "
            "with a split that fits, or split=1"
        )


def block_rows(spec: ParamSpec, split: Split) -> tuple[int, ...]:
    """The number of rows of each block."""
    return split if isinstance(split, tuple) else (matrix_shape(spec)[0] // split,) * split


def _block_dimension(spec: ParamSpec) -> int:
    return spec.own_ndim - 2 if is_stack(spec) else 0


def block_dimensions(spec: ParamSpec, split: int) -> tuple[int, ...]:
    """The dimensions that number the matrices of what :func:`in_blocks` makes."""
    return matrix_dimensions(spec) + (_block_dimension(spec),) * (split > 1)


def block_shape(spec: ParamSpec, split: int) -> tuple[int, ...]:
    """The shape of what :func:`in_blocks` makes."""
    if split == 1:
        return spec.shape
    at = _block_dimension(spec)
    return (*spec.shape[:at], split, spec.shape[at] // split, *spec.shape[at + 1 :])


def in_blocks(u: Tensor, spec: ParamSpec, split: int) -> Tensor:
    """A tensor (..., rows, columns) as a stack of equal blocks (..., split, rows / split, columns)."""
    return u if split == 1 else u.unflatten(_block_dimension(spec), (split, -1))


def from_blocks(u: Tensor, spec: ParamSpec, split: int) -> Tensor:
    """What undoes :func:`in_blocks`."""
    at = _block_dimension(spec)
    return u if split == 1 else u.flatten(at, at + 1)


def per_block(function: Callable[..., Tensor], spec: ParamSpec, split: Split, *tensors: Tensor) -> Tensor:
    """``function`` of each block of rows, put together again.

    Args:
        function: from tensors (..., n, m), one for each of ``tensors``, to one like the first.
        tensors: the first like the parameter, the others with the same rows.
    """
    matrices = [as_matrix(tensor, spec) for tensor in tensors]
    if split == 1:
        made = function(*matrices)
    elif isinstance(split, int):
        made = function(*(matrix.unflatten(-2, (split, -1)) for matrix in matrices)).flatten(-3, -2)
    else:
        made = torch.cat([function(*blocks) for blocks in zip(*(m.split(list(split), -2) for m in matrices))], -2)
    return made.reshape(tensors[0].shape)
