"""Orthogonalize: replace a matrix by the nearest one whose singular values are all one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.transform import State
from gradwright.transforms.common.matrices import Split, check_matrix, check_split, per_block
from gradwright.transforms.matrix.coefficients import COEFFICIENTS, Quintics, coefficients_of

__all__ = ["COEFFICIENTS", "Orthogonalize", "newton_schulz"]

Norm = Literal["frobenius", "schatten"]
NORMS = ("frobenius", "schatten")

OBLONG = 1.5
"""From this ratio of sides on, iterating on the small Gram matrix is cheaper: 14 n³ + 4 n² m against 5 n³ + 10 n² m."""

FIRST_RESTART, RESTART_EVERY = 2, 3
"""Iterations after which the Gram matrix is made anew. In float32 its null space has gathered rounding errors by then,
which would leave a matrix of rank one wrong by up to two hundredths."""


ROOM = 2**24
"""So many numbers (64 MiB of float32) may be held at once, or three times the matrix; beyond, X is changed in place."""

STRIP = 2**20
"""Numbers in a block of columns then."""


def newton_schulz(matrix: Tensor, coefficients: Quintics, norm: Norm = "frobenius", overwrite: bool = False) -> Tensor:
    """The orthogonal polar factor of ``matrix`` (..., n, m), by a quintic Newton-Schulz iteration.

    X ← G / ‖G‖,   then for each (a, b, c):   A = X Xᵀ,   X ← a X + (b A + c A²) X.

    The matrix is first divided by its largest entry, so that tiny gradients give the same answer as large ones. A zero
    matrix gives zero. Oblong matrices iterate on R = X Xᵀ alone and apply the product Q of the factors every few
    iterations, which is the same in exact arithmetic.

    Args:
        matrix: any number of matrices; orthogonalised one by one.
        coefficients: the polynomials, such as ``COEFFICIENTS["keller"]``.
        norm: ``"frobenius"`` divides by ‖G‖ = (Σ σ²)^½, ``"schatten"`` by ‖G Gᵀ‖^½ = (Σ σ⁴)^¼, which is closer to
            the largest singular value and saves about an iteration for one more product.
        overwrite: whether the memory of ``matrix`` may be used for the answer.
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x.flatten(0, -3) if x.dim() > 3 else x
    largest = _largest(x)
    largest = torch.where(largest > 0, largest, 1)
    x = x.div_(largest) if overwrite else x / largest
    length = _length(x, norm)
    x.div_(torch.where(length > 0, length, 1))
    n, m = x.shape[-2:]
    if _workspace(x.numel(), n * n * x.numel() // max(1, n * m)) > max(ROOM, 3 * x.numel()):
        for one in x.unbind() if x.dim() > 2 else (x,):
            _iterate_in_place(one, coefficients)
    elif m >= OBLONG * n:
        count = len(coefficients)
        for first, last in pairwise((0, *range(FIRST_RESTART, count, RESTART_EVERY), count)):
            x = _product(_gram_factor(x @ x.mT, coefficients[first:last]), x, overwrite)
    else:
        for a, b, c in coefficients:
            gram = x @ x.mT
            x = _plus(a, x, _polynomial(gram, b, c), x)
            del gram
    answer = (x.mT if tall else x).reshape(matrix.shape)
    return matrix.copy_(answer) if overwrite else answer


def _largest(x: Tensor) -> Tensor:
    """The largest magnitude in each matrix, without a copy of all of them."""
    width = max(1, STRIP * x.shape[-1] // max(1, x.numel()))
    parts = [block.abs().amax(dim=(-2, -1), keepdim=True) for block in x.split(width, dim=-1)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1).amax(-1, keepdim=True)


def _workspace(entries: int, squares: int) -> int:
    """About how many numbers the iteration holds at once: two of the size of X, five of the size of X Xᵀ."""
    return 2 * entries + 5 * squares


def _product(factor: Tensor, x: Tensor, overwrite: bool) -> Tensor:
    """factor · X, in the place of X where that is allowed, a block of columns after another."""
    if not overwrite or x.dim() > 2:
        return factor @ x
    for block in x.split(max(1, STRIP // x.shape[0]), dim=1):
        block.copy_(factor @ block)
    return x


def _iterate_in_place(x: Tensor, coefficients: Quintics) -> None:
    """The same iteration with hardly more than X Xᵀ beside X: a block of columns after another,
    X ← a X + b (A X) + c A (A X)."""
    width = max(1, STRIP // x.shape[0])
    gram = x.new_empty(x.shape[0], x.shape[0])
    for a, b, c in coefficients:
        torch.mm(x, x.mT, out=gram)
        for block in x.split(width, dim=1):
            first = gram @ block
            block.mul_(a).add_(first, alpha=b)
            if c:
                block.addmm_(gram, first, alpha=c)


def _length(x: Tensor, norm: Norm) -> Tensor:
    if norm == "schatten":
        return torch.linalg.matrix_norm(x @ x.mT, keepdim=True).sqrt()
    return torch.linalg.matrix_norm(x, keepdim=True)


def _gram_factor(r: Tensor, coefficients: Quintics) -> Tensor:
    """The matrix Q by which the iteration multiplies X, from R = X Xᵀ."""
    q = None
    for step, (a, b, c) in enumerate(coefficients):
        z = _polynomial(r, b, c)
        q = z + a * torch.eye(r.shape[-1], dtype=r.dtype, device=r.device) if q is None else _plus(a, q, q, z)
        if step + 1 < len(coefficients):
            t = _plus(a, r, r, z)
            r = _plus(a, t, z, t)
    assert q is not None, "there is at least one polynomial"
    return q


def _polynomial(gram: Tensor, b: float, c: float) -> Tensor:
    """b A + c A²; a cubic does without the product."""
    return _plus(b, gram, c * gram, gram) if c else b * gram


def _plus(scale: float, base: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """scale · base + left right, without a tensor in between."""
    add = torch.addmm if base.dim() == 2 else torch.baddbmm
    return add(base, left, right, beta=scale)


class _Stackable(torch.autograd.Function):
    """:func:`newton_schulz`, which ``torch.vmap`` hands the whole stack: its own way with addmm is ten times slower."""

    @staticmethod
    def forward(matrix: Tensor, coefficients: Quintics, norm: Norm) -> Tensor:
        return newton_schulz(matrix, coefficients, norm)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: optimizers do not differentiate their steps."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, matrix: Tensor, coefficients: Quintics, norm: Norm) -> tuple[Any, int]:
        return _Stackable.apply(matrix.movedim(in_dims[0], 0), coefficients, norm), 0


@dataclass(frozen=True)
class Orthogonalize(Transform):
    """Muon's direction: u ← U Vᵀ, the polar factor of the update.

    Convolutions are flattened to (out, in · kh · kw); stacks of matrices are orthogonalised one by one. A zero matrix
    stays zero. A NaN or an infinity anywhere makes the whole matrix NaN: it is not hidden, and what shall skip such
    steps stands before this part.

    Args:
        coefficients: the Newton-Schulz polynomials, a key of ``COEFFICIENTS`` or triples (a, b, c) such as
            :func:`~gradwright.transforms.matrix.coefficients.polar_express` makes.
        norm: the one that the matrix is divided by first; see :func:`newton_schulz`.
        split: how many equal blocks of rows the matrix consists of, or the rows of each; every block is orthogonalised
            by itself.
    """

    coefficients: str | Quintics = "keller"
    norm: Norm = "frobenius"
    split: Split = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            coefficients_of(self.coefficients)
        except ValueError as refusal:
            raise ValueError(f"Orthogonalize: {refusal}") from None
        if self.norm not in NORMS:
            raise ValueError(f"Orthogonalize: norm={self.norm!r} is unknown; known are {', '.join(NORMS)}")
        check_split("Orthogonalize", self.split)

    def check(self, spec: ParamSpec) -> None:
        check_matrix("Orthogonalize", spec, self.split)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        rows = coefficients_of(self.coefficients)

        def polar(block: Tensor) -> Tensor:
            return (
                newton_schulz(block, rows, self.norm, True) if ctx.spare else _Stackable.apply(block, rows, self.norm)
            )

        return per_block(polar, ctx.spec, self.split, u), state
