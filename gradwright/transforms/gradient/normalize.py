"""Normalize: an update of length one, for each tensor or for all together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, Total, Transform
from gradwright.core.ops import maximum, norm, sqrt, total, where
from gradwright.core.transform import CONDITION, State
from gradwright.transforms.common.matrices import matrix_dimensions, matrix_shape, row_dimensions


@dataclass(frozen=True)
class Normalize(Transform):
    """Divide by the norm: u ← u / (‖u‖ + ε), and 0 where u is 0.

    Args:
        eps: ε ≥ 0.
        over: ``"tensor"``: the norm of each tensor; ``"all"``: one norm over all parameters of the optimizer.
    """

    eps: float = 1e-8
    over: Literal["tensor", "all"] = "tensor"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.over not in ("tensor", "all"):
            raise ValueError(f"{type(self).__name__}: over={self.over!r} is unknown; known are tensor, all")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return _everywhere(self, u, state) if self.over == "all" else (_divided(u, norm(u) + self.eps), state)


def _everywhere(part: Normalize, u: Any, state: State) -> Any:
    """A generator of its own: an update that yields nothing must be none."""
    square = yield Total(type(part).__name__, total(u * u))
    return _divided(u, sqrt(square) + part.eps), state


def _divided(u: Any, length: Any) -> Any:
    return where(length == 0, torch.zeros_like(u), u / length)


@dataclass(frozen=True)
class NormalizeGradient(Normalize):
    """Normalise the gradient before anything else sees it, g ← g / (‖g‖ + ε), and 0 where g is 0.

    It stands at the front of a chain, before any method. What is lost is the size of the gradient, so that a schedule
    has to make the steps small at the end; Adam, which forgets a constant size anyway, gains little.
    """

    stage: ClassVar[int] = CONDITION


@dataclass(frozen=True)
class EqualizeRows(Transform):
    """Give all rows of a matrix the same norm and keep that of the matrix: uᵢ ← uᵢ · ‖u‖ / (√n max(‖uᵢ‖, ε)).

    MuonEq (arXiv:2603.28254), before :class:`Orthogonalize`; n is the number of rows. It changes the polar factor, so
    that orthogonalising no longer commutes with rotations of the rows. Vectors pass unchanged.

    Args:
        eps: the least norm of a row that is scaled up to the full norm, relative to ‖u‖ / √n; at least 0. The code of
            nanochat has an absolute 1e-6, which tiny gradients fall below.
    """

    eps: float = 1e-6

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if ctx.spec.own_ndim < 2:
            return u, state
        even = norm(u, matrix_dimensions(ctx.spec)) / sqrt(matrix_shape(ctx.spec)[0])
        row = maximum(norm(u, row_dimensions(ctx.spec)), self.eps * even)
        return where(row == 0, torch.zeros_like(u), u * (even / row)), state
