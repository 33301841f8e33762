"""SpectralStep: a step that may change the spectral norm of a matrix only by so much of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, minimum
from gradwright.core.transform import STEP, Slots, State
from gradwright.transforms.common.matrices import as_matrix, is_stack, matrix_shape
from gradwright.transforms.common.rows import ROWS

COLD = 10
"""How many times as many iterations the first step makes, which has no earlier one to go on from."""


@dataclass(frozen=True)
class SpectralStep(Transform):
    """AdamW²'s step: η, or less where the update is large beside the weights. arXiv:2505.21910.

    α = min(η, τ σ₁(W) / σ₁(u));   u ← α (u + λ W)

    σ₁ is the largest singular value, of each matrix by itself; a convolution (out, in, kh, kw) is one of (out, in kh
    kw), a stack holds several. Vectors and single numbers take α = η. σ₁ comes from a power iteration that goes on
    where the last step left it.

    Args:
        size: η, the largest step.
        tau: τ, how much of σ₁(W) a step may add to it.
        floor: σ₁(W) counts as at least floor · √(larger side), so that a matrix of zeros can leave.
        weight_decay: λ.
        iterations: of the power method, at each step and for each of W and u; 1 to 100.
        only: a selector of the parameters that are measured.
    """

    size: float
    tau: float = 1e-2
    floor: float = 1e-3
    weight_decay: float = 0.0
    iterations: int = 3
    only: str = ROWS
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}
    bounds: ClassVar = {"iterations": (1, 101)}

    def slots(self, spec: ParamSpec) -> Slots:
        if not self._measured(spec):
            return {}
        stack = spec.own_shape[:-2] if is_stack(spec) else ()
        _, columns = matrix_shape(spec)
        return {name: Slot(shape=(*stack, columns)) for name in ("weight_vector", "update_vector")}

    def check(self, spec: ParamSpec) -> None:
        if spec.is_complex and self._measured(spec):
            raise ValueError(f"SpectralStep: {spec} is complex; give such parameters to another recipe, such as AdamW")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not self._measured(ctx.spec):
            return self.size * (u + self.weight_decay * ctx.param), state
        iterations = self.iterations * (COLD if ctx.step == 1 else 1)
        old, weight = spectral_norm(as_matrix(ctx.param, ctx.spec), state["weight_vector"], iterations)
        new, update = spectral_norm(as_matrix(u, ctx.spec), state["update_vector"], iterations)
        least = self.floor * math.sqrt(max(matrix_shape(ctx.spec)))
        alpha = minimum(self.tau * maximum(old, least) / new, self.size)
        moved = alpha[..., None, None] * as_matrix(u + self.weight_decay * ctx.param, ctx.spec)
        return moved.reshape(u.shape), {"weight_vector": weight, "update_vector": update}

    def _measured(self, spec: ParamSpec) -> bool:
        return spec.own_ndim > 1 and spec.matches(self.only)


def spectral_norm(matrix: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """The largest singular value of matrices (..., n, m), from below, and the right vector (..., m) that showed it.

    It is never less than the norm of the heaviest row. A vector that the matrix takes to zero is answered as zero, so
    that the next call begins anew.

    Args:
        start: where to begin, of any length; if it is zero, with a mixture of all rows that no pattern in them cancels.
        iterations: how often x ← Wᵀ W x.
    """
    mixture = torch.arange(1, matrix.shape[-2] + 1, dtype=matrix.dtype, device=matrix.device).square().sin()
    rows = _times(matrix.mT, mixture.expand(matrix.shape[:-1]))
    x = _unit(torch.where((start != 0).any(-1, keepdim=True), start, rows))
    for _ in range(iterations):
        x = _unit(_times(matrix.mT, _times(matrix, x)))
    return torch.maximum(_times(matrix, x).norm(dim=-1), matrix.norm(dim=-1).amax(-1)), x


def _times(matrix: Tensor, x: Tensor) -> Tensor:
    return (matrix @ x[..., None]).squeeze(-1)


def _unit(x: Tensor) -> Tensor:
    """``x`` at length one, zeros as they are; entries are scaled first, so that no square underflows."""
    x = x / _nonzero(x.abs().amax(-1, keepdim=True))
    return x / _nonzero(x.norm(dim=-1, keepdim=True))


def _nonzero(length: Tensor) -> Tensor:
    return torch.where(length > 0, length, 1)
