"""A hundred classes with Zipf frequencies and wrong labels: who serves the rare classes, and who learns the lies?"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradwright.study.seeding import derive
from gradwright.study.task import Batches, Metric, Session, Task, sha256
from gradwright.study.tasks.perceptron import perceptron

CLASSES, TAIL, LATENT, SPREAD = 100, 50, 16, 1.25


class ZipfData(NamedTuple):
    """Inputs ``(n, 64)``, noisy labels, which of them are wrong, and a clean balanced test set."""

    x: Tensor
    y: Tensor
    corrupted: Tensor
    x_test: Tensor
    y_test: Tensor
    sha256: str


@functools.cache
def zipf_data(samples: int = 20_000, exponent: float = 0.862, noise: float = 0.2) -> ZipfData:
    r"""Class k has a share proportional to k^-0.862, 53 times more for the first than for the hundredth.

    .. math:: x = \tanh(A\,(c_k + 1.25\,\varepsilon)), \qquad c_k, \varepsilon \sim N(0, I_{16})

    with ``A`` a random 64 x 16 map, rounded to three decimals so that the hash does not hang on the last bit of a
    processor's tanh. A share ``noise`` of the training labels is replaced by another class, drawn uniformly.
    """
    rng = np.random.Generator(np.random.PCG64(derive("zipf-noise", "data")))
    share = np.arange(1, CLASSES + 1) ** -exponent
    counts = np.maximum(np.round(samples * share / share.sum()), 1).astype(int)
    centres = rng.standard_normal((CLASSES, LATENT))
    lift = rng.standard_normal((LATENT, 64)) / LATENT**0.5

    def draw(labels: np.ndarray) -> np.ndarray:
        latent = centres[labels] + SPREAD * rng.standard_normal((len(labels), LATENT))
        return np.round(np.tanh(latent @ lift), 3).astype(np.float32)

    clean = np.repeat(np.arange(CLASSES), counts)
    x = draw(clean)
    corrupted = rng.random(len(clean)) < noise
    other = (clean + rng.integers(1, CLASSES, len(clean))) % CLASSES
    y = np.where(corrupted, other, clean)
    y_test = np.repeat(np.arange(CLASSES), 50)
    x_test = draw(y_test)
    tensors = [torch.from_numpy(array) for array in (x, y, corrupted, x_test, y_test)]
    return ZipfData(*tensors, sha256(*tensors))


def start(seed: int) -> Session:
    """64-256-256-256-100 with ReLU; batches of 128."""
    data = zipf_data()
    model = perceptron(64, 256, 256, 256, CLASSES)
    batches = Batches(len(data.x), 128, "zipf-noise", seed)
    wrong, tail = data.corrupted, data.y_test >= CLASSES - TAIL

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return cross_entropy(model(data.x[rows]), data.y[rows])

    def evaluate() -> dict[str, float]:
        logits = model(data.x_test)
        right = (logits.argmax(1) == data.y_test).float()
        return {
            "balanced_nll": cross_entropy(logits, data.y_test).item(),
            "tail_accuracy": right[tail].mean().item(),
            "head_accuracy": right[~tail].mean().item(),
            "memorised": (model(data.x[wrong]).argmax(1) == data.y[wrong]).float().mean().item(),
        }

    return Session(model, loss, evaluate)


TASK = Task(
    name="zipf-noise",
    description="A hundred classes, the commonest 53 times as frequent as the rarest, with 20 % of the labels wrong.",
    start=start,
    metrics=(
        Metric("balanced_nll", "clean balanced test loss (nats)"),
        Metric("tail_accuracy", "accuracy on the 50 rarest classes", lower_is_better=False),
        Metric("head_accuracy", "accuracy on the 50 commonest classes", lower_is_better=False),
        Metric("memorised", "share of wrong labels learned by heart"),
    ),
    steps=800,
    data=lambda: {"Zipf mixture (generated, 20 000 train, 5 000 test)": zipf_data().sha256},
)
