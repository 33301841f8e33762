"""Adam in the eigenbasis of Shampoo's preconditioner: SOAP's direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.matrix.gram import eigenvectors, gram, rotated


@dataclass(frozen=True)
class EigenbasisAdam(Transform):
    """Adam's direction, its second moment kept in slowly turning coordinates. arXiv:2409.11321.

    Each dimension k of a tensor has a Gram matrix Lₖ, the average of the gradient's inner products between its slices,
    and their eigenvectors Qₖ, largest first. ``rotate`` multiplies every dimension by its Qₖᵀ.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) rotate(g)²
    u ← √(1 − β₂ᵗ) / (1 − β₁ᵗ) · rotate⁻¹(rotate(m) / (√v + ε))
    Lₖ ← β Lₖ + (1 − β) Gₖ, and every k-th step Qₖ ← the Q of a QR decomposition of Lₖ Qₖ

    Before that, columns of Q and slices of v are sorted by Qᵀ L Q. The first step of a parameter only makes L and Q,
    from eigenvectors of its gradient's Gram matrices, answers zero, and does not count in t: no gradient is projected
    on a basis that it has made. m is kept unrotated, so that nothing is done to it when Q turns.

    Dimensions of size 1, and larger than ``max_precond_dim``, have no Q, and vectors none unless ``precondition_1d``:
    what has no Q at all is Adam. A tensor of more dimensions, such as a convolution, has a Q for each of them. Complex
    numbers are pairs of real ones, which every Q turns alike.

    Args:
        beta: β₁, in [0, 1).
        beta2: β₂, in [0, 1).
        gram_beta: β, in [0, 1).
        eps: ε, added before the correction.
        precondition_frequency: k, steps between two QR decompositions, at least 1.
        max_precond_dim: the largest dimension that has a Q; memory grows with its square.
        precondition_1d: give vectors a Q.
    """

    beta: float
    beta2: float
    gram_beta: float
    eps: float = 1e-8
    precondition_frequency: int = 10
    max_precond_dim: int = 10000
    precondition_1d: bool = False
    bounds: ClassVar = {
        "beta": FRACTION,
        "beta2": FRACTION,
        "gram_beta": FRACTION,
        "precondition_frequency": (1, WHOLE),
        "max_precond_dim": (1, WHOLE),
    }

    def slots(self, spec: ParamSpec) -> Slots:
        squares = {k: Slot(shape=(size, size)) for k, size in enumerate(spec.own_shape) if k in self._turned(spec)}
        grams = {f"gram{k}": slot for k, slot in squares.items()}
        bases = {f"basis{k}": slot for k, slot in squares.items()}
        return {"m": Slot(role="moment"), "v": Slot(role="square"), **grams, **bases}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        turned = self._turned(ctx.spec)
        grams = {k: state[f"gram{k}"].lerp(gram(u, k), 1 - self.gram_beta) for k in turned}
        t = ctx.step - 1
        if t == 0:
            bases = {k: eigenvectors(grams[k]) for k in turned}
            return torch.zeros_like(u), _named(grams, bases)
        bases = {k: state[f"basis{k}"] for k in turned}
        m = self.beta * state["m"] + (1 - self.beta) * u
        v = self.beta2 * state["v"] + (1 - self.beta2) * rotated(u, bases).square()
        correction = (1 - self.beta2**t) ** 0.5 / (1 - self.beta**t)
        divided = correction * rotated(m, bases) / (v.sqrt() + self.eps)
        direction = rotated(divided, {k: basis.mT for k, basis in bases.items()})
        if t % self.precondition_frequency == 0:
            for k in turned:
                bases[k], order = turned_basis(grams[k], bases[k])
                v = v.index_select(k, order)
        return direction, {"m": m, "v": v, **_named(grams, bases)}

    def _turned(self, spec: ParamSpec) -> list[int]:
        """The dimensions that have a basis."""
        if spec.own_ndim < 2 and not self.precondition_1d:
            return []
        return [k for k, size in enumerate(spec.own_shape) if 1 < size <= self.max_precond_dim]


def _named(grams: dict[int, Tensor], bases: dict[int, Tensor]) -> State:
    return {f"gram{k}": value for k, value in grams.items()} | {f"basis{k}": value for k, value in bases.items()}


def turned_basis(matrix: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """One step of orthogonal iteration towards the eigenvectors of ``matrix``, and the order its columns are now in."""
    order = torch.einsum("ij,ik,kj->j", basis, matrix, basis).argsort(descending=True)
    return torch.linalg.qr(matrix @ basis.index_select(1, order)).Q, order
