"""Shampoo's preconditioners: roots of a tensor's Gram matrices, or Adam's division in their eigenvectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.matrix.gram import eigenvectors, gram, inverse_root, rotated, sides

SUMS = (0.0, 1.0 + 1e-12)
"""From 0 up to 1, with which an average is a sum."""


def averaged(state: State, g: Tensor, along: list[int], beta: float) -> dict[int, Tensor]:
    """The Gram matrices of before with that of ``g`` in them; sums where β is 1."""
    new = 1.0 if beta == 1 else 1 - beta
    return {k: beta * state[f"gram{k}"] + new * gram(g, k) for k in along}


def squares(along: list[int], spec: ParamSpec, *names: str) -> Slots:
    """A square matrix for each of some dimensions, under each of some names."""
    return {f"{name}{k}": Slot(shape=(spec.own_shape[k],) * 2) for name in names for k in along}


def named(name: str, matrices: dict[int, Tensor]) -> State:
    return {f"{name}{k}": value for k, value in matrices.items()}


@dataclass(frozen=True)
class KroneckerRoot(Transform):
    """Shampoo's preconditioner: multiply every dimension by a root of its Gram matrix. arXiv:1802.09568.

    L_k ← β L_k + (1 − β) G_k, of the gradient, or L_k + G_k at β = 1;   u ← u ×_k (L_k / (1 − βᵗ) + ε I)^(−1 / 2d)

    d is how many dimensions the tensor has: −¼ for a matrix, −⅛ for a kernel of four. Roots are made anew every few
    steps. Dimensions of size 1, or larger than ``max_dim``, have none, and what has none at all (vectors too) passes.

    Args:
        beta: β, in [0, 1].
        eps: ε.
        frequency: steps between two roots, at least 1.
        max_dim: the largest dimension that has a root; memory grows with its square.
    """

    beta: float = 0.999
    eps: float = 1e-12
    frequency: int = 1
    max_dim: int = 1024
    bounds: ClassVar = {"beta": SUMS, "frequency": (1, WHOLE), "max_dim": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        return squares(sides(spec, self.max_dim), spec, "gram", "root")

    def check(self, spec: ParamSpec) -> None:
        refuse_complex("KroneckerRoot", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        along = sides(ctx.spec, self.max_dim)
        if not along:
            return u, state
        grams = averaged(state, ctx.grad, along, self.beta)
        roots = {k: state[f"root{k}"] for k in along}
        if (ctx.step - 1) % self.frequency == 0:
            whole = 1.0 if self.beta == 1 else 1 - self.beta**ctx.step
            roots = {k: inverse_root(grams[k] / whole, 2.0 * ctx.spec.own_ndim, self.eps) for k in along}
        return rotated(u, roots), named("gram", grams) | named("root", roots)


@dataclass(frozen=True)
class KroneckerEigen(Transform):
    """Shampoo with corrected eigenvalues: divide by a second moment in the eigenvectors of the Gram matrices.

    L_k as in :class:`KroneckerRoot`;   Q_k: eigenvectors of L_k;   v ← β v + (1 − β) rotate(g)², in the new Q
    u ← rotate⁻¹(rotate(u) / (√(v / (1 − βᵗ)) + ε))

    It differs from :class:`~gradwright.transforms.EigenbasisAdam`, SOAP's, in that the newest gradient is in the Q that
    it is seen in, that no step is left out, and that v stays where it is when Q turns. Vectors are divided as they are.

    Args:
        beta: β, in [0, 1].
        eps: ε.
        frequency: steps between two Q, at least 1.
        max_dim: the largest dimension that has a Q.
    """

    beta: float = 0.999
    eps: float = 1e-8
    frequency: int = 1
    max_dim: int = 1024
    bounds: ClassVar = {"beta": SUMS, "frequency": (1, WHOLE), "max_dim": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(role="square"), **squares(sides(spec, self.max_dim), spec, "gram", "basis")}

    def check(self, spec: ParamSpec) -> None:
        refuse_complex("KroneckerEigen", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        along = sides(ctx.spec, self.max_dim)
        grams = averaged(state, ctx.grad, along, self.beta)
        bases = {k: state[f"basis{k}"] for k in along}
        if along and (ctx.step - 1) % self.frequency == 0:
            bases = {k: eigenvectors(grams[k]) for k in along}
        new, whole = (1.0, 1.0) if self.beta == 1 else (1 - self.beta, 1 - self.beta**ctx.step)
        turned = rotated(ctx.grad, bases)
        v = self.beta * state["v"] + new * (turned * turned)
        divided = rotated(u, bases) / (torch.sqrt(v / whole) + self.eps)
        back = rotated(divided, {k: basis.mT for k, basis in bases.items()})
        return back, {"v": v, **named("gram", grams), **named("basis", bases)}


@dataclass(frozen=True)
class EigenbasisSign(Transform):
    """SPlus's direction: the sign of a momentum in the eigenvectors of the gradient's Gram matrices. arXiv:2506.07254.

    u ← Q_L sign(Q_Lᵀ u Q_R) Q_Rᵀ, with the Q of before, which begin as axes;   L_k ← β L_k + (1 − β) G_k
    Q_k ← eigenvectors of L_k, after the first step and after every k-th. Only matrices have a Q; of the rest it is
    sign(u).

    Args:
        beta: β, in [0, 1).
        frequency: k, at least 1.
        max_dim: the largest side that has a Q; a larger one keeps its axes.
    """

    beta: float = 0.999
    frequency: int = 100
    max_dim: int = 10000
    bounds: ClassVar = {"beta": FRACTION, "frequency": (1, WHOLE), "max_dim": (1, WHOLE)}

    def _along(self, spec: ParamSpec) -> list[int]:
        return sides(spec, self.max_dim) if spec.own_ndim == 2 else []

    def slots(self, spec: ParamSpec) -> Slots:
        return squares(self._along(spec), spec, "gram", "basis")

    def check(self, spec: ParamSpec) -> None:
        refuse_complex("EigenbasisSign", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        along = self._along(ctx.spec)
        if not along:
            return torch.sign(u), state
        grams = averaged(state, ctx.grad, along, self.beta)
        bases = {k: state[f"basis{k}"] for k in along} if ctx.step > 1 else {}
        signs = torch.sign(rotated(u, bases))
        u = rotated(signs, {k: basis.mT for k, basis in bases.items()})
        if ctx.step == 1 or ctx.step % self.frequency == 0:
            bases = {k: eigenvectors(grams[k]) for k in along}
        return u, named("gram", grams) | named("basis", bases)


def refuse_complex(owner: str, spec: ParamSpec) -> None:
    """Refuse a complex parameter of two or more dimensions.

    Raises:
        ValueError: it is one.
    """
    if spec.is_complex and spec.own_ndim > 1:
        raise ValueError(f"{owner}: {spec} is complex, and a Gram matrix of it is not made; give it to AdamW")
