"""Averages kept as the row and column sums of a nearly square matrix, whatever shape the tensor has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.moments import Estimate, Moment
from gradwright.transforms.moment.packed_sign import DIGITS, Signs, pack, packed_size, unpack


@lru_cache(maxsize=4096)
def square_shape(count: int) -> tuple[int, int]:
    """The p × q = ``count`` nearest to a square, p ≥ q.

    >>> square_shape(12), square_shape(7), square_shape(768 * 3072)
    ((4, 3), (7, 1), (1536, 1536))
    """
    narrow = next(q for q in range(math.isqrt(max(count, 1)), 0, -1) if count % q == 0)
    return count // narrow, narrow


def factors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Row sums (p, 1) and normalised column sums (1, q) of a matrix without negative entries.

    Their product has the matrix's sum, and is the matrix where that has rank one.
    """
    row, column = matrix.sum(1, keepdim=True), matrix.sum(0, keepdim=True)
    whole = column.sum()
    return row, column / torch.where(whole > 0, whole, 1)


@dataclass(frozen=True)
class SquareMatrix(Moment):
    """SMMF's second moment: of the tensor as a p × q matrix nearly square, its row sums R and column sums C.

    βₜ = 1 − t^(−decay);   v = R C;   v ← βₜ v + (1 − βₜ) g²;   R, C ← the sums of v, C divided by its own

    The estimate is v before it is factored again, so the first one is exact. arXiv:2412.08894.

    Args:
        decay: the exponent, 0.5 in the authors' code and 0.8 in their runs with transformers.
    """

    decay: float = 0.5

    def slots(self, spec: ParamSpec) -> Slots:
        p, q = square_shape(spec.numel)
        return {"row": Slot(shape=(p, 1)), "column": Slot(shape=(1, q))}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        keep_old = 1 - ctx.step ** (-self.decay)
        square = (ctx.grad * ctx.grad).reshape(square_shape(ctx.spec.numel))
        v = keep_old * (state["row"] * state["column"]) + (1 - keep_old) * square
        row, column = factors(v)
        return Estimate(v.reshape(u.shape)), {"row": row, "column": column}


@dataclass(frozen=True)
class SquareEma(Transform):
    """SMMF's momentum: signs in bits, and magnitudes as row sums R and column sums C of a nearly square matrix.

    βₜ = β · growth^(t − 1);   m = sign · R C;   m ← βₜ m + (1 − βₜ) u;   u ← m;   R, C ← the sums of |m|

    An entry whose average is zero lies at a crossing R C that is not. With two signs it takes one of them and moves
    without ever having had a gradient, as in the authors' code; three keep it at rest. arXiv:2412.08894.

    Args:
        beta: β, in [0, 1).
        growth_rate: what is left of β from step to step, in [0, 1]; 0.999 halves it in 693 steps.
        signs: ``"ternary"``, five to a byte, or ``"binary"``, eight to a byte.
    """

    beta: float
    growth_rate: float = 0.999
    signs: Signs = "ternary"
    bounds: ClassVar = {"beta": FRACTION, "growth_rate": (0.0, 1.0 + 1e-12)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signs not in DIGITS:
            raise ValueError(f"SquareEma: signs={self.signs!r} is unknown; known are {', '.join(DIGITS)}")

    def slots(self, spec: ParamSpec) -> Slots:
        p, q = square_shape(spec.numel)
        bits = Slot(shape=(packed_size(spec.numel, self.signs),), dtype=torch.uint8)
        return {"row": Slot(shape=(p, 1)), "column": Slot(shape=(1, q)), "sign": bits}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        shape = square_shape(ctx.spec.numel)
        beta = self.beta * self.growth_rate ** (ctx.step - 1)
        old = state["row"] * state["column"]
        old = old * unpack(state["sign"], ctx.spec.numel, self.signs, old.dtype).reshape(shape)
        m = beta * old + (1 - beta) * u.reshape(shape)
        row, column = factors(m.abs())
        return m.reshape(u.shape), {"row": row, "column": column, "sign": pack(m, self.signs)}
