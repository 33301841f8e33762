"""Any model that reads handwritten digits, as a session and as a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gradwright.calibration import CalibrationError
from gradwright.study.tasks.digits import Digits, digits
from gradwright.study.tasks.task import Batches, Compared, Metric, Session, Task

READS = "reads handwritten digits (scikit-learn, 8x8 pixels)"


def classifying(model: nn.Module, data: Digits, name: str, seed: int, batch: int) -> Session:
    """Cross-entropy on shuffled batches.

    Args:
        model: from pixels ``(n, 64)`` to logits ``(n, 10)``.
        data: images and labels to train on and to validate with.
        name: of the task, which enters the batches.
        seed: of the run.
        batch: images in a batch.
    """
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
    return Session(model, Compared(compared, cross_entropy), evaluate, compared, calibration, counts)


def digits_data() -> dict[str, str]:
    """The line of the data set."""
    return {"digits (scikit-learn, 1100 train, 697 validation)": digits().sha256}


def digits_task(
    name: str,
    description: str,
    start: Callable[[int], Session],
    steps: int,
    data: Callable[[], Mapping[str, str]] = digits_data,
) -> Task:
    """A task whose sessions are :func:`classifying`.

    Args:
        name: the word for the command line.
        description: one sentence for the report.
        start: of the task.
        steps: the usual number of steps.
        data: the line of the data set, where it is not the digits as they are.
    """
    return Task(
        name=name,
        description=description,
        start=start,
        metrics=(
            Metric("validation_nll", "validation loss (nats)"),
            Metric("train_nll", "loss on the training set (nats)"),
            Metric("accuracy", "validation accuracy", lower_is_better=False, share=True),
        ),
        steps=steps,
        data=data,
        judge="accuracy",
    )
