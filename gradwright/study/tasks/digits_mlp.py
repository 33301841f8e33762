"""Ten linear layers without normalisation: the signal all but vanishes, and plain SGD never leaves the start."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from gradwright.calibration import CalibrationError
from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.perceptron import perceptron
from gradwright.study.tasks.task import Batches, Metric, Session, Task


def start(seed: int) -> Session:
    """64-128x9-10 with ReLU and torch's default initialisation; batches of 64."""
    data = digits()
    model = perceptron(64, *(128,) * 9, 10)
    batches = Batches(len(data.x), 64, "digits-mlp", seed)

    def batch(step: int) -> tuple[Tensor, Tensor]:
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
    return Session(model, lambda step: cross_entropy(*batch(step)), evaluate, batch, calibration, counts)


TASK = Task(
    name="digits-mlp",
    description="A ten-layer perceptron without normalisation reads handwritten digits (scikit-learn, 8x8 pixels).",
    start=start,
    metrics=(
        Metric("validation_nll", "validation loss (nats)"),
        Metric("train_nll", "loss on the training set (nats)"),
        Metric("accuracy", "validation accuracy", lower_is_better=False, share=True),
    ),
    steps=600,
    data=lambda: {"digits (scikit-learn, 1100 train, 697 validation)": digits().sha256},
    judge="accuracy",
)
