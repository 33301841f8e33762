"""NormBall: the step that the gradient likes best among all of one norm, in a norm that suits the layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.ops import norm, rms, where
from gradwright.core.transform import State
from gradwright.transforms.common.matrices import (
    check_matrix,
    column_dimensions,
    is_stack,
    matrix_shape,
    row_dimensions,
)
from gradwright.transforms.matrix.coefficients import Quintics
from gradwright.transforms.matrix.orthogonalize import Orthogonalize

BALLS = ("auto", "spectral", "sign", "column", "row", "token", "rms")


@dataclass(frozen=True)
class NormBall(Transform):
    """Scion's direction, the farthest point of a ball along the update. arXiv:2502.07529.

    ``"spectral"``: u ← r √(n / m) U Vᵀ, the polar factor of an n × m matrix; of a kernel r √(out / in) / k² U Vᵀ
    ``"sign"``:     u ← r sign(u) / m
    ``"column"``:   every column gets the root mean square r;   ``"token"``: every row
    ``"row"``:      every row gets the length r / √m
    ``"rms"``:      the whole gets the root mean square r

    ``"auto"`` goes by what a parameter is: heads by their sign, embeddings by token, vectors by root mean square, and
    matrices, kernels and stacks by their spectrum. What is zero stays zero.

    Args:
        ball: the norm.
        radius: r.
        head_radius: r of heads.
        coefficients: of the polar factor; see :class:`Orthogonalize`.
    """

    ball: Literal["auto", "spectral", "sign", "column", "row", "token", "rms"] = "auto"
    radius: float = 50.0
    head_radius: float = 3000.0
    coefficients: str | Quintics = "keller"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ball not in BALLS:
            raise ValueError(f"NormBall: ball={self.ball!r} is unknown; known are {', '.join(BALLS)}")
        Orthogonalize(self.coefficients)

    def kind(self, spec: ParamSpec) -> str:
        """The norm of a parameter."""
        if self.ball != "auto":
            return self.ball
        if spec.own_ndim < 2 or spec.matches("vector | scalar"):
            return "rms"
        if spec.matches("head"):
            return "sign"
        return "token" if spec.matches("embedding") else "spectral"

    def check(self, spec: ParamSpec) -> None:
        if self.kind(spec) != "rms":
            check_matrix("NormBall", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        spec = ctx.spec
        r, kind = (self.head_radius if spec.matches("head") else self.radius), self.kind(spec)
        if kind == "rms":
            return r * _over(u, rms(u)), state
        if kind == "spectral":
            polar, _ = Orthogonalize(self.coefficients).update(u, {}, ctx)
            return r * _spectral(spec) * polar, state
        m = matrix_shape(spec)[1]
        if kind == "sign":
            return r / m * torch.sign(u), state
        if kind == "row":
            return r / math.sqrt(m) * _over(u, norm(u, row_dimensions(spec))), state
        return r * _over(u, rms(u, column_dimensions(spec) if kind == "column" else row_dimensions(spec))), state


def _over(u: Any, size: Any) -> Any:
    return where(size > 0, u / where(size > 0, size, 1 + 0 * size), torch.zeros_like(u))


def _spectral(spec: ParamSpec) -> float:
    """√(out / in), over the entries of a kernel's window."""
    n, m = matrix_shape(spec)
    window = 1 if is_stack(spec) or spec.own_ndim == 2 else math.prod(spec.own_shape[2:])
    return math.sqrt(n * window / m) / window
