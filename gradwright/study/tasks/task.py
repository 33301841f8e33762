"""What a task is: a model, a stream of batches, a loss, and the numbers by which it is judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradwright.calibration import CalibrationError
from gradwright.study.tasks.seeding import RandomStream, derive

RECENT = 20
"""Steps whose batches make BatchNorm statistics anew: as many as a running mean of momentum 0.1 averages over."""


@dataclass(frozen=True)
class Metric:
    """One number that ``evaluate`` returns: its key, how a reader should see it, and which way is better.

    ``share``: it is a share of a whole, shown in per cent, and differences of two in points.
    """

    name: str
    label: str
    lower_is_better: bool = True
    share: bool = False


@dataclass(frozen=True)
class Compared:
    """A training loss that compares the outputs of a batch with its targets: ``criterion(*batch(step))``."""

    batch: Callable[[int], tuple[Tensor, Tensor]]
    criterion: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, step: int) -> Tensor:
        return self.criterion(*self.batch(step))


@dataclass(frozen=True)
class Session:
    """One model in training.

    Args:
        model: the model, its weights drawn.
        loss: ``loss(step)`` is the training loss on batch number ``step`` (0, 1, ...), a differentiable 0-d tensor.
            Asked twice for one step it uses the same batch; a :class:`Compared` also says what it compares. Where the
            model has BatchNorm layers and an optimizer is judged at averaged weights, the last ``RECENT`` steps are
            asked for again, without gradients, to make the statistics of the layers anew.
        evaluate: the metrics of the model as it is now; called without gradients and with ``model.eval()``.
        batch: ``batch(step)`` is what ``loss`` compares there, logits with the classes last and targets, so that
            another loss can take its place; None where there is no such thing.
        calibration: the claims of the trained model and what came true, gathered; called as ``evaluate``, at the end.
        class_counts: how many training labels name each class ``(C,)``, for losses that weigh classes.
        pictures: plain numbers of the trained model that the report draws; called as ``evaluate``, at the end. Known
            is "latent", see :func:`gradwright.study.tasks.digits_vae.latent`.
    """

    model: nn.Module
    loss: Callable[[int], Tensor]
    evaluate: Callable[[], Mapping[str, float]]
    batch: Callable[[int], tuple[Tensor, Tensor]] | None = None
    calibration: Callable[[], CalibrationError] | None = None
    class_counts: Tensor | None = None
    pictures: Callable[[], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Task:
    """A model, data, a loss and a budget: what every optimizer is given alike.

    Args:
        name: the word for the command line; it enters every seed.
        description: one sentence for the report.
        start: ``start(seed)`` draws a fresh :class:`Session`. It is called with the global generators seeded by
            (name, seed, "weights"); the batches must depend on ``seed`` and the step only.
        metrics: the first one ranks, the others inform.
        steps: the usual number of optimizer steps; None where the caller must choose.
        data: returns a line for each data set: what it is and the sha256 of its content.
        judge: the metric that ranks where losses are compared, none of which may judge the others; its sessions then
            have a ``batch``. Empty where no other loss can train this task.
        drawn_as: the name by which its weights are drawn; its own where empty. A nuisance keeps that of the task.
        illustrate: ``illustrate(task, seed)`` trains what it needs for pictures beside those of the runs, a second or
            two, and returns plain numbers; see :func:`gradwright.study.tasks.long_tail.long_tail`.
    """

    name: str
    description: str
    start: Callable[[int], Session]
    metrics: tuple[Metric, ...]
    steps: int | None = None
    data: Callable[[], Mapping[str, str]] = field(default=dict)
    judge: str = ""
    drawn_as: str = ""
    illustrate: Callable[[Task, int], Mapping[str, Any]] | None = None

    @property
    def metric(self) -> Metric:
        """The metric that ranks."""
        return self.metrics[0]

    @property
    def seeded(self) -> str:
        """The name that enters the seeds."""
        return self.drawn_as or self.name

    def judged(self) -> Task:
        """The task as it is where losses are compared: its judge is the first metric."""
        return replace(self, metrics=tuple(sorted(self.metrics, key=lambda metric: metric.name != self.judge)))

    def begin(self, seed: int) -> Session:
        """The session of this seed: the same weights and batches for every optimizer."""
        with RandomStream(self.seeded, seed, "weights"):
            return self.start(seed)


class Batches:
    """Rows of each batch: a new permutation every epoch, the ragged end dropped.

    ``Batches(n, size, *key)(step)`` is a tensor of ``size`` row numbers below ``n``, a function of the key and the
    step alone.
    """

    def __init__(self, n: int, size: int, *key: object) -> None:
        self.n, self.size, self.key = n, min(size, n), key
        self.epoch, self.order = -1, torch.empty(0, dtype=torch.long)

    def __call__(self, step: int) -> Tensor:
        epoch, place = divmod(step, self.n // self.size)
        if epoch != self.epoch:
            rng = torch.Generator().manual_seed(derive(*self.key, "batches", epoch))
            self.epoch, self.order = epoch, torch.randperm(self.n, generator=rng)
        return self.order[place * self.size : (place + 1) * self.size]


def sha256(*arrays: np.ndarray | Tensor | bytes) -> str:
    """The sha256 of arrays (type, shape and content) or bytes, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        if isinstance(array, bytes):
            digest.update(array)
        else:
            array = np.ascontiguousarray(array.numpy() if isinstance(array, Tensor) else array)
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
