"""A variational auto-encoder: a generative loss with noise inside the model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.perceptron import perceptron
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Batches, Metric, Session, Task

LATENT = 8


class VAE(nn.Module):
    """64-256-256-8 and back, ReLU, a Gaussian posterior and Bernoulli pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = perceptron(64, 256, 256, 2 * LATENT)
        self.decoder = perceptron(LATENT, 256, 256, 64)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """-ELBO of each image ``(n,)`` with ``noise`` ``(n, 8)``: -log p(x|z) + KL(q(z|x) || N(0, 1))."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        logits = self.decoder(mean + noise * (0.5 * log_variance).exp())
        reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)
        return reconstruction + divergence


def start(seed: int) -> Session:
    """Batches of 64; the noise of a step belongs to the step, that of the evaluation is fixed for all runs."""
    data = digits()
    model = VAE()
    batches = Batches(len(data.x), 64, "digits-vae", seed)
    fixed = torch.randn(4, len(data.x_validation), LATENT, generator=generator("digits-vae", "evaluation noise"))

    def loss(step: int) -> Tensor:
        x = data.x[batches(step)]
        noise = torch.randn(len(x), LATENT, generator=generator("digits-vae", seed, "noise", step))
        return model(x, noise).mean()

    def evaluate() -> dict[str, float]:
        return {"negative_elbo": sum(model(data.x_validation, noise).mean().item() for noise in fixed) / len(fixed)}

    return Session(model, loss, evaluate)


TASK = Task(
    name="digits-vae",
    description="A variational auto-encoder learns to draw handwritten digits (64-256-256-8 and back).",
    start=start,
    metrics=(Metric("negative_elbo", "validation -ELBO (nats)"),),
    steps=1000,
    data=lambda: {"digits (scikit-learn, 1100 train, 697 validation)": digits().sha256},
)
