"""A hundred classes with Zipf frequencies and wrong labels: who serves the rare classes, and who learns the lies?"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradwright.calibration import CalibrationError
from gradwright.study.tasks.long_tail import long_tail
from gradwright.study.tasks.perceptron import perceptron
from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import Batches, Compared, Metric, Session, Task, sha256

CLASSES, TAIL, LATENT, SPREAD = 100, 50, 16, 1.25


class ZipfData(NamedTuple):
    """Inputs ``(n, 64)``, noisy labels, which of them are wrong; two clean balanced sets to judge by; ``share``
    ``(100,)`` of each class in the world."""

    x: Tensor
    y: Tensor
    corrupted: Tensor
    x_test: Tensor
    y_test: Tensor
    x_validation: Tensor
    y_validation: Tensor
    share: Tensor
    sha256: str
    sha256_validation: str


@functools.cache
def zipf_data(samples: int = 20_000, exponent: float = 0.862, noise: float = 0.2) -> ZipfData:
    r"""Class k has a share proportional to k^-0.862, 53 times more for the first than for the hundredth.

    .. math:: x = \tanh(A\,(c_k + 1.25\,\varepsilon)), \qquad c_k, \varepsilon \sim N(0, I_{16})

    with ``A`` a random 64 x 16 map, rounded to three decimals so that the hash does not hang on the last bit of a
    processor's tanh. A share ``noise`` of the training labels is replaced by another class, drawn uniformly. Test and
    validation set are 50 fresh samples of each class.
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
    x_validation = draw(y_test)
    tensors = [torch.from_numpy(array) for array in (x, y, corrupted, x_test, y_test)]
    validation = [torch.from_numpy(x_validation), tensors[-1]]
    true_share = torch.from_numpy(counts / counts.sum())
    return ZipfData(*tensors, *validation, true_share, sha256(*tensors), sha256(*tensors[:3], *validation))


def start(seed: int, name: str = "zipf-noise", split: str = "test") -> Session:
    """64-256-256-256-100 with ReLU; batches of 128; judged on the test or the validation set."""
    data = zipf_data()
    model = perceptron(64, 256, 256, 256, CLASSES)
    batches = Batches(len(data.x), 128, name, seed)
    x, y = (data.x_test, data.y_test) if split == "test" else (data.x_validation, data.y_validation)
    wrong, tail, share = data.corrupted, y >= CLASSES - TAIL, data.share[y] * CLASSES

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rows = batches(step)
        return model(data.x[rows]), data.y[rows]

    def evaluate() -> dict[str, float]:
        logits = model(x)
        right = (logits.argmax(1) == y).float()
        return {
            "balanced_nll": cross_entropy(logits, y).item(),
            "balanced_accuracy": right.mean().item(),
            "accuracy": (right * share).mean().item(),
            "tail_accuracy": right[tail].mean().item(),
            "head_accuracy": right[~tail].mean().item(),
            "memorised": (model(data.x[wrong]).argmax(1) == data.y[wrong]).float().mean().item(),
            "ece": calibration().compute().item(),
        }

    def calibration() -> CalibrationError:
        return CalibrationError().update(model(x), y, logits=True)

    counts = data.y.bincount(minlength=CLASSES)
    return Session(model, Compared(batch, cross_entropy), evaluate, batch, calibration, counts)


METRICS = (
    Metric("balanced_nll", "clean balanced loss (nats)"),
    Metric("balanced_accuracy", "clean balanced accuracy", lower_is_better=False, share=True),
    Metric("accuracy", "clean accuracy at Zipf frequencies", lower_is_better=False, share=True),
    Metric("tail_accuracy", "accuracy on the 50 rarest classes", lower_is_better=False, share=True),
    Metric("head_accuracy", "accuracy on the 50 commonest classes", lower_is_better=False, share=True),
    Metric("memorised", "share of wrong labels learned by heart", share=True),
    Metric("ece", "expected calibration error", share=True),
)

TASK = Task(
    name="zipf-noise",
    description="A hundred classes, the commonest 53 times as frequent as the rarest, with 20 % of the labels wrong.",
    start=start,
    metrics=METRICS,
    steps=800,
    data=lambda: {"Zipf mixture (generated, 20 000 train, 5 000 clean test)": zipf_data().sha256},
    judge="balanced_accuracy",
    illustrate=long_tail,
)

VALIDATION = replace(
    TASK,
    name="zipf-noise-validation",
    description=f"{TASK.description} Judged on a validation set, to choose settings that the test set has not seen.",
    start=functools.partial(start, name="zipf-noise-validation", split="validation"),
    data=lambda: {"Zipf mixture (generated, 20 000 train, 5 000 clean validation)": zipf_data().sha256_validation},
)
