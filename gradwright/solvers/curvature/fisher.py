"""The Fisher information of the model's own distribution, and the empirical one of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.solvers.curvature.gauss_newton import jacobian_product, outputs_of
from gradwright.solvers.linear.operator import Product
from gradwright.solvers.problem.curvature import Curvature, Situation


@dataclass(frozen=True)
class Fisher(Curvature):
    """F = 1/N Σₙ Jₙᵀ E[s sᵀ] Jₙ, s = ∇ log p(y | outputsₙ) with y drawn from the model itself.

    The expectation is a mean over ``samples`` draws that are made once per point, so all products at a point are with
    one matrix. ``fun`` returns ``(loss, outputs)``, outputs of shape (N, ...), the loss a mean over N.

    Args:
        distribution: outputs ↦ a ``torch.distributions.Distribution`` with one event per row (batch shape (N,)).
        samples: draws per row.
        seed: of the draws.
    """

    positive: ClassVar[bool] = True
    distribution: Callable[[Tensor], Any] = lambda outputs: torch.distributions.Categorical(logits=outputs)
    samples: int = 1
    seed: int = 0

    def product(self, at: Situation) -> Product:
        evaluation = at.evaluation
        outputs = outputs_of(evaluation.extras, "Fisher curvature")
        scores = self._scores(outputs.detach())
        evaluation.refresh()
        forward = jacobian_product(evaluation, outputs)
        count = scores.shape[0] * outputs.shape[0]

        def times(v: Tensor) -> Tensor:
            along = (scores * forward(v)).flatten(2).sum(-1)  # (samples, N): sᵀ J v
            weights = (scores * along.view(*along.shape, *[1] * (outputs.dim() - 1))).sum(0) / count
            return evaluation.grad(outputs, weights).detach()

        return times

    def _scores(self, outputs: Tensor) -> Tensor:
        """(samples, N, ...): gradients of log p at labels drawn from p."""
        leaf = outputs.clone().requires_grad_()
        devices = [outputs.device] if outputs.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.enable_grad():
            torch.manual_seed(self.seed)
            law = self.distribution(leaf)
            draws = [law.log_prob(law.sample()).sum() for _ in range(self.samples)]
            return torch.stack([torch.autograd.grad(draw, leaf, retain_graph=True)[0] for draw in draws])


@dataclass(frozen=True)
class EmpiricalFisher(Curvature):
    """F = 1/N Σₙ gₙ gₙᵀ of the per-sample gradients at the labels of the data.

    ``fun`` returns ``(loss, losses)``, the losses of shape (N,). It is not the Fisher information and not an estimate
    of the Hessian away from a good fit (Kunstner et al. 2019); it serves as a preconditioner.
    """

    positive: ClassVar[bool] = True

    def product(self, at: Situation) -> Product:
        evaluation = at.evaluation
        losses = outputs_of(evaluation.extras, "the empirical Fisher")
        evaluation.refresh()
        forward = jacobian_product(evaluation, losses)
        return lambda v: evaluation.grad(losses, forward(v) / losses.numel()).detach()
