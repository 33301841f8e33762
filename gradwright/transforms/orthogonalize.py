"""Orthogonalize: replace a matrix by the nearest one whose singular values are all one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.transform import State

COEFFICIENTS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "keller": ((3.4445, -4.7750, 2.0315),) * 5,
    "you": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}
"""Quintics a σ + b σ³ + c σ⁵ that drive singular values towards one, by the name under which they are known.

``keller`` is Keller Jordan's constant set, which lands between 0.68 and 1.13; ``you`` is Jiacheng You's, which lands
within 0.05 of one for singular values above a hundredth of the norm.
"""


OBLONG = 1.5
"""From this ratio of sides on, iterating on the small Gram matrix is cheaper: 14 n³ + 4 n² m against 5 n³ + 10 n² m."""

RESTART = 2
"""Iterations after which the Gram matrix is made anew. In float32 its null space has gathered rounding errors by then,
which would leave a matrix of rank one wrong by up to two hundredths."""


def newton_schulz(matrix: Tensor, coefficients: tuple[tuple[float, float, float], ...]) -> Tensor:
    """The orthogonal polar factor of ``matrix`` (..., n, m), by a quintic Newton-Schulz iteration.

    X ← G / ‖G‖,   then for each (a, b, c):   A = X Xᵀ,   X ← a X + (b A + c A²) X.

    The matrix is first divided by its largest entry, so that tiny gradients give the same answer as large ones. A zero
    matrix gives zero. Oblong matrices iterate on R = X Xᵀ alone, apply the product Q of the factors after two
    iterations and again at the end, which is the same in exact arithmetic.
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    largest = x.abs().amax(dim=(-2, -1), keepdim=True)
    x = x / torch.where(largest > 0, largest, 1)
    length = torch.linalg.matrix_norm(x, keepdim=True)
    x = x / torch.where(length > 0, length, 1)
    if x.shape[-1] >= OBLONG * x.shape[-2]:
        for some in filter(None, (coefficients[:RESTART], coefficients[RESTART:])):
            x = _gram_factor(x @ x.mT, some) @ x
    else:
        for a, b, c in coefficients:
            gram = x @ x.mT
            x = _plus(a, x, _plus(b, gram, c * gram, gram), x)
    return x.mT if tall else x


def _gram_factor(r: Tensor, coefficients: tuple[tuple[float, float, float], ...]) -> Tensor:
    """The matrix Q by which the iteration multiplies X, from R = X Xᵀ."""
    q = None
    for step, (a, b, c) in enumerate(coefficients):
        z = _plus(b, r, c * r, r)
        q = z + a * torch.eye(r.shape[-1], dtype=r.dtype, device=r.device) if q is None else _plus(a, q, q, z)
        if step + 1 < len(coefficients):
            t = _plus(a, r, r, z)
            r = _plus(a, t, z, t)
    assert q is not None, "there is at least one polynomial"
    return q


def _plus(scale: float, base: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """scale · base + left right, without a tensor in between."""
    add = torch.addmm if base.dim() == 2 else torch.baddbmm
    return add(base, left, right, beta=scale)


def as_matrix(u: Tensor, spec: ParamSpec) -> Tensor:
    """A convolution (out, in, kh, kw) as (out, in kh kw); a stack of matrices as it is."""
    return u.reshape(u.shape[0], -1) if u.dim() > 2 and "stack" not in spec.roles else u


@dataclass(frozen=True)
class Orthogonalize(Transform):
    """Muon's direction: u ← U Vᵀ, the polar factor of the update.

    Convolutions are flattened to (out, in · kh · kw); stacks of matrices are orthogonalised one by one.

    Args:
        coefficients: the Newton-Schulz polynomials, a key of ``COEFFICIENTS``.
    """

    coefficients: str = "keller"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coefficients not in COEFFICIENTS:
            known = ", ".join(COEFFICIENTS)
            raise ValueError(f"Orthogonalize: coefficients={self.coefficients!r} is unknown; known are {known}")

    def check(self, spec: ParamSpec) -> None:
        if spec.is_complex or spec.ndim < 2:
            kind = "complex" if spec.is_complex else "not a matrix"
            raise ValueError(
                f"Orthogonalize: {spec} is {kind}. Give such parameters to another recipe: "
                'gradwright.route(model, {"matrix & !embedding & !head": Muon, "*": AdamW})'
            )

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        matrix = as_matrix(u, ctx.spec)
        return newton_schulz(matrix, COEFFICIENTS[self.coefficients]).reshape(u.shape), state


@dataclass(frozen=True)
class ShapeScale(Transform):
    """Scale an orthogonal update to the shape (n, m) of its matrix, n rows being the outputs.

    Args:
        rule: ``"original"``: √max(1, n / m), Keller Jordan's, for which lr is a spectral norm;
            ``"match_rms_adamw"``: 0.2 √max(n, m), Moonlight's, for which lr is what AdamW would use.
    """

    rule: Literal["original", "match_rms_adamw"] = "original"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in ("original", "match_rms_adamw"):
            raise ValueError(f"ShapeScale: rule={self.rule!r} is unknown; known are original, match_rms_adamw")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        rows, columns = ctx.spec.shape[-2:] if "stack" in ctx.spec.roles else _flat(ctx.spec.shape)
        if self.rule == "original":
            return u * math.sqrt(max(1.0, rows / columns)), state
        return u * (0.2 * math.sqrt(max(rows, columns))), state


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], math.prod(shape[1:])
