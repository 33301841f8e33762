"""KullbackLeibler: Shampoo's factors, each of gradients that the other has whitened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.common.matrices import as_matrix, check_matrix, is_stack, matrix_shape
from gradwright.transforms.matrix.gram import finite

FIRST = 0.1
"""What every eigenvalue begins as."""


@dataclass(frozen=True)
class KullbackLeibler(Transform):
    """KL-Shampoo's direction, or KL-SOAP's: factors L ⊗ R nearest in divergence to E[g gᵀ]. arXiv:2509.03378.

    l, r: running eigenvalues along Q_L and Q_R, all 0.1 at first, never below 1 / max(10, min(side, 4000))²;   the
    first step of a parameter makes L, R and their eigenvectors of its gradient alone and moves nothing

    m ← β₁ m + (1 − β₁) u;   KL-Shampoo: u ← Q_L ((Q_Lᵀ m Q_R) ρ / (1 + ε ρ)) Q_Rᵀ,   ρ = (l rᵀ)^−½
    KL-SOAP: v ← β₂ v + (1 − β₂) (Q_Lᵀ u Q_R)²;   u ← Q_L ((Q_Lᵀ m Q_R) / (√v + ε)) Q_Rᵀ;   neither is corrected
    L ← β L + (1 − β) G Q_R r⁻¹ Q_Rᵀ Gᵀ / m;   l ← β l + (1 − β) mean over columns of (Q_Lᵀ G Q_R)² r⁻¹;   R, r alike
    Every k-th step Q ← the Q of a QR decomposition of L Q, and of R Q

    A kernel is one matrix, each matrix of a stack is on its own. What was before this step is used on the right sides.

    Args:
        beta: β₁, in [0, 1).
        beta2: β₂ of v, in [0, 1).
        gram_beta: β, in [0, 1).
        eps: ε.
        frequency: k, at least 1.
        adam: KL-SOAP.
    """

    beta: float = 0.9
    beta2: float = 0.98
    gram_beta: float = 0.98
    eps: float = 1e-8
    frequency: int = 10
    adam: bool = False
    bounds: ClassVar = {"beta": FRACTION, "beta2": FRACTION, "gram_beta": FRACTION, "frequency": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        stacked = spec.own_shape[:-2] if is_stack(spec) else ()
        found: Slots = {"m": Slot(role="moment")}
        for side, size in zip(("left", "right"), matrix_shape(spec)):
            square = Slot(shape=(*stacked, size, size))
            found |= {f"gram_{side}": square, f"basis_{side}": square}
            found[f"value_{side}"] = Slot(shape=(*stacked, size), start=FIRST)
        return found | ({"v": Slot(role="square")} if self.adam else {})

    def check(self, spec: ParamSpec) -> None:
        check_matrix("KullbackLeibler", spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        g = as_matrix(u, ctx.spec)
        n, m = g.shape[-2:]
        left, right = state["basis_left"], state["basis_right"]
        if ctx.step == 1:
            grams = (1 - self.gram_beta) * g @ g.mT / m, (1 - self.gram_beta) * g.mT @ g / n
            bases = (torch.linalg.eigh(finite(one)).eigenvectors.flip(-1) for one in grams)
            return torch.zeros_like(u), _sides("gram", *grams) | _sides("basis", *bases)
        turned = left.mT @ g @ right
        direction, changed = self._direction(u, turned, state, ctx)
        values = state["value_left"], state["value_right"]
        grams = self._grams(g, left, right, values, state)
        means = (turned.square() / values[1][..., None, :]).mean(-1), (turned.square() / values[0][..., None]).mean(-2)
        raised = [self._mixed(old, new).clamp(min=_least(old)) for old, new in zip(values, means)]
        if (ctx.step - 1) % self.frequency == 0:
            left, right = (torch.linalg.qr(gram @ basis).Q for gram, basis in zip(grams, (left, right)))
        return direction, changed | _sides("gram", *grams) | _sides("basis", left, right) | _sides("value", *raised)

    def _direction(self, u: Tensor, turned: Tensor, state: State, ctx: Context) -> tuple[Tensor, State]:
        left, right = state["basis_left"], state["basis_right"]
        m = self.beta * state["m"] + (1 - self.beta) * u
        seen, changed = left.mT @ as_matrix(m, ctx.spec) @ right, {"m": m}
        if self.adam:
            v = self.beta2 * state["v"] + (1 - self.beta2) * turned.square().reshape(u.shape)
            divided = seen / (as_matrix(v, ctx.spec).sqrt() + self.eps)
            changed["v"] = v
        else:
            rho = (state["value_left"][..., None] * state["value_right"][..., None, :]).rsqrt()
            divided = seen * (rho / (1 + self.eps * rho))
        return (left @ divided @ right.mT).reshape(u.shape), changed

    def _grams(self, g: Tensor, left: Tensor, right: Tensor, values: Any, state: State) -> tuple[Tensor, Tensor]:
        """L and R with the gradient as the other side whitens it."""
        n, m = g.shape[-2:]
        by_right, by_left = (g @ right) / values[1][..., None, :].sqrt(), (left.mT @ g) / values[0][..., None].sqrt()
        return (
            self._mixed(state["gram_left"], by_right @ by_right.mT / m),
            self._mixed(state["gram_right"], by_left.mT @ by_left / n),
        )

    def _mixed(self, old: Tensor, new: Tensor) -> Tensor:
        return self.gram_beta * old + (1 - self.gram_beta) * new


def _least(values: Tensor) -> float:
    """The least eigenvalue, by which no step gets much longer along an axis that never had a gradient."""
    return 1 / max(10, min(values.shape[-1], 4000)) ** 2


def _sides(name: str, left: Tensor, right: Tensor) -> State:
    return {f"{name}_left": left, f"{name}_right": right}
