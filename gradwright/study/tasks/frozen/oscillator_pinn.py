r"""A network that is never shown an answer: it learns a differential equation by how far it is from solving it.

Data: none but the law of a damped oscillator,
:math:`\ddot u + 2 \cdot 0.5\, \dot u + 6^2 u = 0,\ u(0) = 1,\ \dot u(0) = 0` on [0, 2], nearly two swings.
Model: 1-32-32-32-1 with tanh. Loss: the residual at 64 random times, divided by 36, and both initial values; second
derivatives by automatic differentiation. Budget: 1500 steps.
Metric: root of the mean squared distance to the exact solution at 256 times.
Why: terms of the loss that pull against each other, derivatives of derivatives, and a smooth ill-conditioned target.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Metric, Session, Task, sha256

DAMPING, FREQUENCY, END, WIDTH = 0.5, 6.0, 2.0, 32


def solution(times: Tensor) -> Tensor:
    """The exact swing."""
    swing = math.sqrt(FREQUENCY**2 - DAMPING**2)
    return (-DAMPING * times).exp() * ((swing * times).cos() + DAMPING / swing * (swing * times).sin())


def derivative(values: Tensor, times: Tensor) -> Tensor:
    """Of each value by its own time, itself differentiable."""
    return torch.autograd.grad(values.sum(), times, create_graph=True)[0]


def start(seed: int, batch: int = 64) -> Session:
    """Fresh times at each step, the two conditions at time 0 in every step."""
    layers = [layer for width in (1, WIDTH, WIDTH) for layer in (nn.Linear(width, WIDTH), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Linear(WIDTH, 1))
    judged = torch.linspace(0, END, 256)[:, None]

    def loss(step: int) -> Tensor:
        inside = END * torch.rand(batch, 1, generator=generator("oscillator-pinn", seed, "batches", step))
        times = torch.cat([torch.zeros(1, 1), inside]).requires_grad_()
        u = model(times)
        velocity = derivative(u, times)
        residual = (derivative(velocity, times) + 2 * DAMPING * velocity) / FREQUENCY**2 + u
        at_start = (u[0] - 1).square() + (velocity[0] / FREQUENCY).square()
        return residual[1:].square().mean() + at_start.sum()

    def evaluate() -> dict[str, float]:
        return {"rmse": (model(judged) - solution(judged)).square().mean().sqrt().item()}

    return Session(model, loss, evaluate)


TASK = Task(
    name="oscillator-pinn",
    description="A perceptron (width 32, tanh) learns the swing of a damped oscillator from its equation alone.",
    start=start,
    metrics=(Metric("rmse", "distance to the exact solution (root mean square)"),),
    steps=1500,
    data=lambda: {"law of a damped oscillator": sha256(f"{DAMPING} {FREQUENCY} {END}".encode())},
)
