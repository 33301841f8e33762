"""A run for TensorBoard: scalars, histograms, and findings as text."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from gradwright.observe.diagnosis import diagnose
from gradwright.observe.record import HISTOGRAM_EDGES, Histogram, Histograms, Record, Window
from gradwright.observe.sinks.flat import checked, flat

ENDS = [*(-edge for edge in reversed(HISTOGRAM_EDGES[:-1])), 0.0, *HISTOGRAM_EDGES[1:]]
"""Upper ends of the buckets, one each: of the negative numbers, the largest first; of zero; of the positive ones."""

_MIDDLES = [math.sqrt(low * high) for low, high in pairwise(HISTOGRAM_EDGES)]
CENTRES = [*(-middle for middle in reversed(_MIDDLES)), 0.0, *_MIDDLES]
"""The number for which each entry of a bucket counts in sums."""


class TensorBoard:
    """Writes each watched step into a folder that TensorBoard reads.

    Scalars are named as in :func:`~gradwright.observe.sinks.flat.flat`; the loss has a value for every step; histograms
    of weights, gradients and steps are written at steps that double. Findings become a text when the watch is closed.

    Args:
        folder: of the run, made if need be.
        only: which probes are wanted; None for all.

    Raises:
        ModuleNotFoundError: tensorboard is not installed.
        ValueError: the folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], only: Iterable[str] | None = None) -> None:
        self.folder, self.only = os.fspath(folder), checked(only)
        self._writer = _writer(self.folder)
        self._last_loss = self._last_histogram = 0
        self._validations = 0

    def __call__(self, window: Window, record: Record) -> None:
        numbers = flat(window, record, self.only)
        step = int(numbers.pop("step"))
        numbers.pop("loss", None)
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)
        self._write_series(record)
        self._write_histograms(record)
        self._writer.flush()

    def close(self, record: Record) -> None:
        """Write what came after the last watched step, and what is wrong; close the files."""
        self._write_series(record)
        self._write_histograms(record)
        said = [
            f"**{found.severity}** {found.cause.value}  \n{found.evidence}  \n`{found.remedy}`"
            for found in diagnose(record)
        ]
        self._writer.add_text("findings", "\n\n".join(said) or "Nothing wrong was found.", record.steps)
        self._writer.close()

    def _write_series(self, record: Record) -> None:
        for step, loss in record.loss:
            if step > self._last_loss:
                self._writer.add_scalar("loss", loss, step)
                self._last_loss = step
        for each in record.validation[self._validations :]:
            self._writer.add_scalar("validation", each.value, each.step)
        self._validations = len(record.validation)

    def _write_histograms(self, record: Record) -> None:
        for kept in settled(record):
            if kept.step > self._last_histogram:
                self._last_histogram = kept.step
                for kind in ("weights", "gradients", "updates"):
                    for name, counts in getattr(kept, kind).items():
                        self._write_histogram(f"{name}/{kind}", counts, kept.step)

    def _write_histogram(self, tag: str, histogram: Histogram, step: int) -> None:
        counts = [*reversed(histogram.negative), histogram.zero, *histogram.positive]
        total = sum(counts)
        if not total:
            return
        filled = [at for at, count in enumerate(counts) if count]
        self._writer.add_histogram_raw(
            tag,
            min=CENTRES[filled[0]],
            max=CENTRES[filled[-1]],
            num=total,
            sum=math.fsum(count * centre for count, centre in zip(counts, CENTRES)),
            sum_squares=math.fsum(count * centre**2 for count, centre in zip(counts, CENTRES)),
            bucket_limits=ENDS,
            bucket_counts=counts,
            global_step=step,
        )

    def __repr__(self) -> str:
        return f"to_tensorboard({self.folder!r})"


def settled(record: Record) -> list[Histograms]:
    """The histograms that stay, without those of the last watched step where these give way to later ones."""
    return record.histograms if record.last_histograms_stay else record.histograms[:-1]


def _writer(folder: str) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f'Watch.to_tensorboard needs {missing.name}: pip install "gradwright[tensorboard]"', name=missing.name
        ) from None
    try:
        return SummaryWriter(folder)
    except OSError as error:
        raise ValueError(
            f"folder={folder!r} cannot be written ({error.strerror or error}): name one that can"
        ) from error
