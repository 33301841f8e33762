"""Perceptrons without normalisation that read handwritten digits: deep, shallow, wide, four images at a time."""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn.functional import cross_entropy

from gradwright.calibration import CalibrationError
from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.perceptron import perceptron
from gradwright.study.tasks.task import Batches, Metric, Session, Task


def start(seed: int, name: str, hidden: tuple[int, ...], batch: int = 64) -> Session:
    """64 pixels through the hidden layers to 10 classes, with ReLU and torch's default initialisation.

    Args:
        seed: of the run.
        name: of the task, which enters the batches.
        hidden: widths of the hidden layers.
        batch: images in a batch.
    """
    data = digits()
    model = perceptron(64, *hidden, 10)
    batches = Batches(len(data.x), batch, name, seed)

    def compared(step: int) -> tuple[Tensor, Tensor]:
        rows = batches(step)
        return model(data.x[rows]), data.y[rows]

    def evaluate() -> dict[str, float]:
        logits = model(data.x_validation)
        return {
            "validation_nll": cross_entropy(logits, data.y_validation).item(),
            "train_nll": cross_entropy(model(data.x), data.y).item(),
            "accuracy": (logits.argmax(1) == data.y_validation).float().mean().item(),
        }

    def calibration() -> CalibrationError:
        return CalibrationError().update(model(data.x_validation), data.y_validation, logits=True)

    counts = data.y.bincount(minlength=10)
    return Session(model, lambda step: cross_entropy(*compared(step)), evaluate, compared, calibration, counts)


def digits_task(name: str, description: str, hidden: tuple[int, ...], steps: int, batch: int = 64) -> Task:
    """A task of a perceptron with these hidden layers.

    Args:
        name: the word for the command line.
        description: one sentence for the report.
        hidden: widths of the hidden layers.
        steps: the usual number of steps.
        batch: images in a batch.
    """
    return Task(
        name=name,
        description=description,
        start=partial(start, name=name, hidden=hidden, batch=batch),
        metrics=(
            Metric("validation_nll", "validation loss (nats)"),
            Metric("train_nll", "loss on the training set (nats)"),
            Metric("accuracy", "validation accuracy", lower_is_better=False, share=True),
        ),
        steps=steps,
        data=lambda: {"digits (scikit-learn, 1100 train, 697 validation)": digits().sha256},
        judge="accuracy",
    )


_READS = "reads handwritten digits (scikit-learn, 8x8 pixels)"

TASK = digits_task("digits-mlp", f"A ten-layer perceptron without normalisation {_READS}.", (128,) * 9, 600)
"""The signal all but vanishes, and plain SGD never leaves the start."""
SHALLOW = digits_task("digits-shallow", f"A three-layer perceptron {_READS}.", (128, 128), 300)
TINY_BATCHES = digits_task("digits-batch-4", f"A three-layer perceptron {_READS} four at a time.", (128, 128), 300, 4)
WIDE = digits_task("digits-wide", f"A three-layer perceptron of width 2048 {_READS}.", (2048, 2048), 300)
