"""The diagonal of the empirical Fisher matrix, from the outputs of the model."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.solvers.curvature.gauss_newton import outputs_of
from gradwright.solvers.problem.hooks import silenced
from gradwright.solvers.problem.objective import Point

CHUNK = 32
"""Samples differentiated as one batch."""


def sample_diagonal(point: Point) -> Tensor:
    """N Σₙ (Jₙᵀ uₙ)², u = ∂loss/∂outputs one row per sample: for a mean loss, the mean squared gradient of a sample.

    Raises:
        ValueError: the closure does not return (loss, outputs).
    """
    evaluation = point.evaluation
    outputs = outputs_of(evaluation.extras, 'precondition="empirical-fisher"')
    evaluation.refresh()
    (u,) = torch.autograd.grad(evaluation.loss, outputs, retain_graph=True)
    count = outputs.shape[0]
    total = torch.zeros_like(point.x)
    for rows in torch.arange(count, device=outputs.device).split(CHUNK):
        weights = outputs.new_zeros(len(rows), *outputs.shape)
        weights[torch.arange(len(rows), device=rows.device), rows] = u[rows].detach()
        with silenced(evaluation.leaves):
            parts = torch.autograd.grad(
                outputs, evaluation.leaves, weights, retain_graph=True, is_grads_batched=True, allow_unused=True
            )
        flat = [
            torch.zeros(len(rows), leaf.numel(), device=total.device)
            if part is None
            else part.reshape(len(rows), -1).to(total.device)
            for part, leaf in zip(parts, evaluation.leaves)
        ]
        total += torch.cat([part.to(total) for part in flat], dim=1).square().sum(0)
    return count * total
