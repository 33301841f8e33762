"""Sketches: directions that orthonormalise a part of a momentum and leave the rest in it for later."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.counter import key_of, normal
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.common.matrices import as_matrix, check_matrix, is_stack, matrix_shape
from gradwright.transforms.matrix.coefficients import Quintics, coefficients_of
from gradwright.transforms.matrix.orthogonalize import Orthogonalize, newton_schulz

SHARE = (1e-12, 1.0 + 1e-12)
"""Above 0 and at most 1."""


@dataclass(frozen=True)
class PowerIteration(Transform):
    """Dion's direction: one step of power iteration on the momentum, from where the last one came to. arXiv:2504.05295.

    M ← M + u;   P = the Q of a QR decomposition of M Q;   R = Mᵀ P;   M ← M − (1 − μ) P Rᵀ;   Q ← R, columns of length
    1 u ← P Qᵀ, of rank r, the next whole number above ``fraction`` · (shorter side)

    A wide matrix is seen transposed. What is not in P's span stays in M as it is. Q begins with normal numbers that
    depend on the parameter's place alone. Where M is zero, Q stays and u is zero.

    Args:
        momentum: μ, in [0, 1).
        fraction: in (0, 1]; it is read when the state is made.
    """

    momentum: float = 0.95
    fraction: float = 1.0
    bounds: ClassVar = {"momentum": FRACTION, "fraction": SHARE}

    def slots(self, spec: ParamSpec) -> Slots:
        short = min(matrix_shape(spec))
        stacked = spec.own_shape[:-2] if is_stack(spec) else ()
        return {"m": Slot(role="moment"), "q": Slot(shape=(*stacked, short, rank_of(self.fraction, short)))}

    def check(self, spec: ParamSpec) -> None:
        check_matrix("PowerIteration", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        wide = matrix_shape(ctx.spec)[0] < matrix_shape(ctx.spec)[1]
        whole = state["m"] + u
        m = as_matrix(whole, ctx.spec)
        m = m.mT if wide else m
        q = first_basis(ctx.spec, state["q"]) if ctx.step == 1 else state["q"]
        p = torch.linalg.qr(m @ q).Q
        r = m.mT @ p
        long = r.norm(dim=-2, keepdim=True)
        q = torch.where(long > 0, r / long, q)
        direction = torch.where(long.amax(-1, keepdim=True) > 0, p @ q.mT, 0.0)
        m = m - (1 - self.momentum) * (p @ r.mT)
        back = (x.mT if wide else x for x in (direction, m))
        direction, m = (x.reshape(u.shape) for x in back)
        return direction, {"m": m, "q": q}


@dataclass(frozen=True)
class TopRows(Transform):
    """Dion2's direction: the polar factor of the largest rows of the momentum. arXiv:2512.16928.

    M ← M + u;   S: the ``fraction`` of the rows with the largest sums of |M|, of the columns where those are fewer
    u ← the polar factor of M[S] in the place of S, and zero elsewhere;   M[S] ← μ M[S]

    Of rows alike those that come first are taken.

    Args:
        momentum: μ, in [0, 1).
        fraction: in (0, 1].
        coefficients: of the polar factor; see :class:`Orthogonalize`.
    """

    momentum: float = 0.95
    fraction: float = 0.25
    coefficients: str | Quintics = "polar_express"
    bounds: ClassVar = {"momentum": FRACTION, "fraction": SHARE}

    def __post_init__(self) -> None:
        super().__post_init__()
        Orthogonalize(self.coefficients)

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment")}

    def check(self, spec: ParamSpec) -> None:
        check_matrix("TopRows", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        wide = matrix_shape(ctx.spec)[1] < matrix_shape(ctx.spec)[0]
        whole = state["m"] + u
        m = as_matrix(whole, ctx.spec)
        m = m.mT if wide else m
        picked = self._picked(m)
        polar = newton_schulz(m.gather(-2, picked), coefficients_of(self.coefficients))
        direction = torch.zeros_like(m).scatter(-2, picked, polar)
        m = m.scatter(-2, picked, self.momentum * m.gather(-2, picked))
        direction, m = ((x.mT if wide else x).reshape(u.shape) for x in (direction, m))
        return direction, {"m": m}

    def _picked(self, m: Tensor) -> Tensor:
        """The places of the rows, in order, repeated along each row."""
        count = rank_of(self.fraction, m.shape[-2])
        order = m.abs().sum(-1).argsort(dim=-1, descending=True, stable=True)[..., :count]
        return order.sort(-1).values[..., None].expand(*m.shape[:-2], count, m.shape[-1])


def rank_of(fraction: float, size: int) -> int:
    """The next whole number above a share of a size."""
    return max(1, math.ceil(fraction * size - 1e-9))


def first_basis(spec: ParamSpec, like: Tensor) -> Tensor:
    """Normal numbers that depend on a parameter's place and nothing else."""
    return normal(key_of(spec.index, 0), like)
