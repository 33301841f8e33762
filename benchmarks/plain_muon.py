"""Muon written down plainly: one matrix after another, nothing fused, nothing batched."""

from __future__ import annotations

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def newton_schulz(matrix: Tensor, steps: int = 5) -> Tensor:
    """The quintic Newton-Schulz iteration, in the type of ``matrix``."""
    a, b, c = COEFFICIENTS
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm()
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class PlainMuon:
    """Nesterov momentum, orthogonalised; only what a step needs."""

    def __init__(self, params: list[Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        self.params, self.lr, self.momentum = params, lr, momentum
        self.averages = [torch.zeros_like(param) for param in params]

    @torch.no_grad()
    def step(self) -> None:
        for param, m in zip(self.params, self.averages):
            assert param.grad is not None
            m.lerp_(param.grad, 1 - self.momentum)
            update = newton_schulz(param.grad.lerp(m, self.momentum))
            rows, columns = param.shape
            param.sub_(update, alpha=self.lr * max(1.0, rows / columns) ** 0.5)
