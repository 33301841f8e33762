"""Logistic regression on raw columns: convex, ill-conditioned, with a known optimum."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gradwright.study.tasks.task import Metric, Session, Task, sha256

PENALTY = 1e-4
NEWTON_STEPS = 50


class Tumours(NamedTuple):
    """Raw columns ``(569, 30)`` of sizes from 1e-3 to 4e3, classes ``(569,)``, and the least objective."""

    x: Tensor
    y: Tensor
    optimum: float
    sha256: str


@functools.cache
def tumours() -> Tumours:
    """scikit-learn's breast cancer data as it is, and the minimum by Newton's method in float64."""
    x, y = (torch.from_numpy(array).double() for array in load_breast_cancer(return_X_y=True))
    columns = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    pull = torch.full((31,), PENALTY, dtype=x.dtype)
    pull[-1] = 0
    w = torch.zeros(31, dtype=x.dtype)

    def value(weights: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(columns @ weights, y) + 0.5 * (pull * weights * weights).sum()

    for _ in range(NEWTON_STEPS):
        p = torch.sigmoid(columns @ w)
        gradient = columns.T @ (p - y) / len(y) + pull * w
        hessian = (columns.T * (p * (1 - p))) @ columns / len(y) + torch.diag(pull + 1e-15)
        step = torch.linalg.solve(hessian, gradient)
        while value(w - step) > value(w):  # a full step may overshoot far from the minimum
            step = step / 2
            if step.abs().max() < 1e-300:
                break
        w = w - step
    return Tumours(x.float(), y.float(), value(w).item(), sha256(x, y))


def start(seed: int) -> Session:
    """One linear layer that starts at zero; the whole data set at each step."""
    data = tumours()
    model = nn.Linear(30, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)

    def loss(step: int) -> Tensor:
        fit = binary_cross_entropy_with_logits(model(data.x)[:, 0], data.y)
        return fit + 0.5 * PENALTY * model.weight.square().sum()

    return Session(model, loss, lambda: {"above_optimum": loss(0).item() - data.optimum})


TASK = Task(
    name="raw-logistic",
    description="Logistic regression tells tumours apart by 30 raw columns of very different sizes (scikit-learn).",
    start=start,
    metrics=(Metric("above_optimum", "objective above its minimum (nats)"),),
    steps=1000,
    data=lambda: {"breast cancer (scikit-learn, 569 rows, raw)": tumours().sha256},
)
