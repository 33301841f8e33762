"""Outputs against targets: cross-entropies of samples, and how alike the samples of a batch are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gradwright.observe.record import BatchProbe, Data
from gradwright.observe.sample import stride_for, wide_type

SAMPLES = 1024
"""Rows of outputs that are looked at in one batch."""

MOST_CLASSES = 65536
"""Of more classes none are counted."""

FEATURES = 256
"""How many features of a sample are compared between batches."""


@dataclass(frozen=True)
class Classified:
    """A batch of a classification, on its device: numbers in the order of :meth:`read`."""

    size: int
    classes: int
    numbers: Tensor

    def read(self, numbers: list[float]) -> BatchProbe | None:
        """The probe, or None where the targets are not classes after all."""
        counted, entropy, accuracy, sure_accuracy, rank, sure_rank, median, classes = numbers
        if not classes or not counted:
            return None
        return BatchProbe(self.size, self.classes, entropy, accuracy, sure_accuracy, rank, sure_rank, median)


def logits_and_labels(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor] | None:
    """Rows of logits (n, K) and labels (n,); a label below 0 does not count. None where these are no classes.

    Of outputs (n, K), (n, K, ...) as torch's cross-entropy has them, (..., K) as language models have them, and of one
    logit a sample with targets of 0 and 1, for which K = 2.
    """
    if not outputs.is_floating_point() or not outputs.numel() or not targets.numel():
        return None
    if targets.is_floating_point() or targets.dtype == torch.bool or outputs.numel() == targets.numel():
        return _binary(outputs, targets)
    if outputs.dim() >= 2 and outputs.numel() // outputs.shape[-1] == targets.numel():
        return outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1)
    if outputs.dim() > 2 and outputs.numel() // outputs.shape[1] == targets.numel():
        return outputs.movedim(1, -1).reshape(-1, outputs.shape[1]), targets.reshape(-1)
    return None


def _binary(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor] | None:
    if outputs.numel() != targets.numel() or outputs.numel() != outputs.shape[0]:
        return None
    logit = outputs.reshape(-1, 1)
    return torch.cat([torch.zeros_like(logit), logit], 1), targets.reshape(-1)


def classified(outputs: Tensor, targets: Tensor) -> Classified | None:
    """What a batch of outputs says against its targets; None where these are no classes."""
    found = logits_and_labels(outputs.detach(), targets.detach())
    if found is None or found[0].shape[1] < 2:
        return None
    logits, labels = (each[:: stride_for(len(each), SAMPLES)] for each in found)
    logits, classes = logits.float(), logits.shape[1]
    whole = (
        (labels == labels.round()).all() & (labels < classes).all()
        if labels.is_floating_point()
        else (labels < classes).all()
    )
    counts = (labels >= 0) & (labels < classes)
    target = torch.where(counts, labels, 0).long()
    losses = nn.functional.cross_entropy(logits, target, reduction="none")
    place = (logits > logits.gather(1, target[:, None])).sum(1)
    right, wrong = (place == 0).float(), counts & (place > 0)
    rank = (place - 1) / max(1, classes - 2)
    first = torch.where(counts, logits.log_softmax(1).amax(1), torch.nan)
    sure = counts & (first >= first.nanmedian())
    numbers = [
        counts.sum(),
        _mean(losses, counts),
        _mean(right, counts),
        _mean(right, sure),
        _mean(rank, wrong),
        _mean(rank, wrong & sure),
        torch.where(counts, losses, torch.nan).nanmedian(),
        whole,
    ]
    return Classified(outputs.shape[0], classes, torch.stack([each.float() for each in numbers]))


def _mean(values: Tensor, some: Tensor) -> Tensor:
    """Over some samples; NaN over none."""
    return torch.where(some, values, 0).sum() / some.sum()


@dataclass
class Spread:
    """Variance between batches against variance within them, of some columns: the intraclass correlation.

    Of shuffled data it is 0 whatever the size of a batch; where each batch is of one kind it is 1.
    """

    batches: int = 0
    samples: int = 0
    sum: Tensor | None = None
    squares: Tensor | None = None
    between: Tensor | None = None

    def add(self, rows: Tensor) -> None:
        """A batch, shape (samples, columns)."""
        values = rows.detach()
        values = values.to(wide_type(values.device))
        total, squares = values.sum(0), values.square().sum(0)
        between = total.square() / len(values)
        if self.sum is None or self.sum.shape != total.shape or self.sum.device != total.device:
            self.batches, self.samples, self.sum = 0, 0, torch.zeros_like(total)
            self.squares, self.between = torch.zeros_like(total), torch.zeros_like(total)
        self.sum, self.squares, self.between = self.sum + total, self.squares + squares, self.between + between  # type: ignore[operator]
        self.batches, self.samples = self.batches + 1, self.samples + len(values)

    def alike(self) -> float:
        """The intraclass correlation over the columns that vary; NaN where it cannot be told."""
        if self.sum is None or self.batches < 4 or self.samples <= self.batches:
            return math.nan
        shift = self.sum.square() / self.samples
        between, whole = (self.between - shift).cpu(), (self.squares - shift).cpu()  # type: ignore[operator]
        varies = whole > 1e-9 * self.squares.cpu()  # type: ignore[union-attr]
        if not bool(varies.any()):
            return math.nan
        scale = whole[varies]
        among = float((between[varies] / scale).mean()) / (self.batches - 1)
        within = float(((whole - between)[varies] / scale).mean()) / (self.samples - self.batches)
        size = self.samples / self.batches
        return (among - within) / (among + (size - 1) * within) if among + within > 0 else math.nan


@dataclass
class DataObserver:
    """What batches say of the data: counts of classes, and how alike samples of a batch are; no synchronisation."""

    counts: Tensor | None = None
    classes: int = 0
    seen: int = 0
    samples: int = 0
    targets: Spread = field(default_factory=Spread)
    features: Spread = field(default_factory=Spread)
    tokens: bool = False
    labels_between: Tensor | None = None

    @torch.no_grad()
    def add(self, outputs: Tensor | None, targets: Tensor) -> None:
        """The targets of one batch."""
        self.seen += 1
        if targets.is_floating_point():
            if targets.dim() and len(targets) > 1:
                self.targets.add(_columns(targets))
            return
        found = logits_and_labels(outputs.detach(), targets.detach()) if outputs is not None else None
        if found is None or found[0].shape[1] > MOST_CLASSES:
            return
        self._count(found[1].long(), found[0].shape[1])

    def _count(self, labels: Tensor, classes: int) -> None:
        inside = (labels >= 0) & (labels < classes)
        wide = wide_type(labels.device)
        counts = torch.zeros(classes, dtype=wide, device=labels.device)
        counts.scatter_add_(0, torch.where(inside, labels, 0), inside.to(wide))
        if self.counts is None or len(self.counts) != classes or self.counts.device != counts.device:
            self.counts, self.labels_between = (
                torch.zeros_like(counts),
                torch.zeros((), dtype=wide, device=labels.device),
            )
            self.samples = self.classes = 0
        self.counts = self.counts + counts
        self.labels_between = self.labels_between + counts.square().sum() / counts.sum().clamp(min=1)  # type: ignore[operator]
        self.classes += 1
        self.samples += labels.numel()

    @torch.no_grad()
    def add_inputs(self, inputs: Tensor, targets: Tensor | None) -> None:
        """The inputs of one batch."""
        if inputs.is_floating_point():
            if inputs.dim() > 1 and len(inputs) > 1:
                self.features.add(_columns(inputs))
        elif targets is not None and targets.numel() == inputs.numel():
            self.tokens = True

    def read(self) -> Data:
        """The numbers; brings them to the host."""
        counts = [] if self.counts is None else self.counts.tolist()
        return Data(
            counts=tuple(counts),
            batches=self.seen,
            size=self._size(),
            alike=self._labels_alike(counts) if counts else self.targets.alike(),
            features_alike=self.features.alike(),
            tokens=self.tokens,
        )

    def _size(self) -> float:
        """Samples in a batch; NaN where no targets were told."""
        samples, batches = (
            (self.samples, self.classes) if self.classes else (self.targets.samples, self.targets.batches)
        )
        return samples / batches if batches else math.nan

    def _labels_alike(self, counts: list[float]) -> float:
        """The intraclass correlation of the indicators of the classes."""
        total, batches = sum(counts), self.classes
        if batches < 4 or total <= batches or self.labels_between is None:
            return math.nan
        shift = sum(count**2 for count in counts) / total
        between, whole = float(self.labels_between) - shift, total - shift
        among, within = between / (batches - 1), (whole - between) / (total - batches)
        bottom = among + (total / batches - 1) * within
        return (among - within) / bottom if bottom > 0 and whole > 0 else math.nan


def _columns(values: Tensor) -> Tensor:
    """At most 256 evenly spaced features of each sample."""
    flat = values.flatten(1) if values.dim() > 1 else values[:, None]
    return flat[:, :: stride_for(flat.shape[1], FEATURES)]
