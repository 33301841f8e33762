"""A variational auto-encoder: a generative loss with noise inside the model."""

from __future__ import annotations

from typing import Any

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
    model, labels = VAE(), data.y_validation
    batches = Batches(len(data.x), 64, "digits-vae", seed)
    fixed = torch.randn(4, len(data.x_validation), LATENT, generator=generator("digits-vae", "evaluation noise"))

    def loss(step: int) -> Tensor:
        x = data.x[batches(step)]
        noise = torch.randn(len(x), LATENT, generator=generator("digits-vae", seed, "noise", step))
        return model(x, noise).mean()

    def evaluate() -> dict[str, float]:
        return {"negative_elbo": sum(model(data.x_validation, noise).mean().item() for noise in fixed) / len(fixed)}

    return Session(model, loss, evaluate, pictures=lambda: {"latent": latent(model, data.x_validation, labels)})


def latent(model: VAE, x: Tensor, labels: Tensor) -> dict[str, Any]:
    """Where images lie in the latent space.

    Args:
        model: trained.
        x: images ``(n, 64)``.
        labels: their digits ``(n,)``, which the model never saw.

    Returns:
        ``x``, ``y``: the means of q(z|x) on their first two principal components; ``label``; ``share`` of the spread
        that these two hold; ``kl``: of each latent dimension, KL(q(z|x) || N(0, 1)) in nats, the mean over images.
    """
    mean, log_variance = model.encoder(x).chunk(2, dim=-1)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
    centred = (mean - mean.mean(0)).double()
    _, spread, axes = torch.linalg.svd(centred, full_matrices=False)
    largest = axes[:2].gather(1, axes[:2].abs().argmax(1, keepdim=True))
    across, up = (centred @ (axes[:2] * largest.sign()).T).T  # the sign of an axis is nobody's: the same always
    return {
        "x": [round(value, 4) for value in across.tolist()],
        "y": [round(value, 4) for value in up.tolist()],
        "label": labels.tolist(),
        "share": float(spread[:2].square().sum() / spread.square().sum()),
        "kl": divergence.mean(0).tolist(),
    }


TASK = Task(
    name="digits-vae",
    description="A variational auto-encoder learns to draw handwritten digits (64-256-256-8 and back).",
    start=start,
    metrics=(Metric("negative_elbo", "validation -ELBO (nats)"),),
    steps=1000,
    data=lambda: {"digits (scikit-learn, 1100 train, 697 validation)": digits().sha256},
)
