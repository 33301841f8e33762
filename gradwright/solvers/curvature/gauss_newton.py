"""The generalised Gauss-Newton matrix: the Hessian without the curvature of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import Product
from gradwright.solvers.problem.curvature import Curvature, Situation
from gradwright.solvers.problem.evaluation import Evaluation


def outputs_of(extras: Any, who: str) -> Tensor:
    """The model's outputs among what fun returned.

    Raises:
        ValueError: fun did not return ``(loss, outputs)`` with outputs that depend on x.
    """
    if not isinstance(extras, Tensor) or not extras.requires_grad:
        found = "the loss alone" if extras is None else f"a {type(extras).__name__} beside the loss"
        found = "outputs that are detached from x" if isinstance(extras, Tensor) else found
        raise ValueError(f"{who} needs the model's outputs, but got {found}; return (loss, outputs)")
    return extras


def jacobian_product(evaluation: Evaluation, outputs: Tensor) -> Product:
    """v ↦ Jv for the outputs as a function of the leaves, as the transpose of the (linear) map u ↦ Jᵀu."""
    probe = torch.zeros_like(outputs, requires_grad=True)
    transposed = evaluation.grad(outputs, probe, create_graph=True)

    def times(v: Tensor) -> Tensor:
        evaluation.hold()
        return torch.autograd.grad(transposed, probe, v, retain_graph=True)[0]

    return times


@dataclass(frozen=True)
class GaussNewton(Curvature):
    """G = Jᵀ H J for a loss of the model's outputs: J = ∂outputs/∂x, H = ∂²loss/∂outputs².

    G is positive semi-definite where the loss is convex in the outputs, as squared error and cross-entropy are. ``fun``
    returns ``(loss, outputs)``, the loss computed from those outputs. A product costs less than one of the Hessian.
    Schraudolph 2002; Martens 2010.
    """

    positive: ClassVar[bool] = True

    def product(self, at: Situation) -> Product:
        evaluation = at.evaluation
        outputs = outputs_of(evaluation.extras, "Gauss-Newton curvature")
        evaluation.refresh()
        forward = jacobian_product(evaluation, outputs)
        (residual,) = torch.autograd.grad(evaluation.loss, outputs, create_graph=True, allow_unused=True)
        if residual is None:
            raise ValueError("the loss does not depend on the outputs returned beside it; compute it from them")

        def times(v: Tensor) -> Tensor:
            if not residual.requires_grad:  # a loss that is linear in the outputs
                return torch.zeros_like(v)
            (curved,) = torch.autograd.grad(residual, outputs, forward(v), retain_graph=True)
            return evaluation.grad(outputs, curved).detach()

        return times
