"""What was measured but is not on the host yet, and how it becomes part of the record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from torch import Tensor

from gradwright.observe.batch import Classified
from gradwright.observe.forward import Seen
from gradwright.observe.host import to_host
from gradwright.observe.record import Histograms, LayerProbe, Record, Validation, Window
from gradwright.observe.window import Measured, histogram, read, whole

KEPT_WINDOWS = 512
"""More windows than these are thinned: the first eighth stays, of the others every second one goes."""


@dataclass
class PendingWindow:
    """A watched step, numbers still on their devices."""

    step: int
    span: int
    order: tuple[str, ...]
    """Of the parameters' names."""
    measured: list[Measured]
    layers: dict[str, Seen]
    batch: Classified | None
    cleared: list[Tensor | bool]
    skipped: bool
    histograms: bool
    """Whether its histograms are kept when later ones come."""

    def tensors(self) -> list[Tensor]:
        """All that has to come to the host, in the order in which :meth:`read` takes it."""
        found = [each.numbers for each in self.measured]
        found += [value for seen in self.layers.values() for value in vars(seen).values() if isinstance(value, Tensor)]
        found += [] if self.batch is None else [self.batch.numbers]
        return found + [each for each in self.cleared if isinstance(each, Tensor)]

    def read(self, numbers: list[list[float]]) -> Window:
        """The window from what :meth:`tensors` came to."""
        left = iter(numbers)
        pieces = []
        for each in self.measured:
            flat, columns = next(left), each.numbers.shape[1]
            pieces.append((each, [flat[at : at + columns] for at in range(0, len(flat), columns)]))
        layers = {name: self._layer(seen, left) for name, seen in self.layers.items()}
        batch = None if self.batch is None else self.batch.read(next(left))
        cleared = [float(each) if isinstance(each, bool) else next(left)[0] for each in self.cleared]
        together = whole(pieces)
        probes = {name: probe for piece in pieces for name, probe in read(*piece).items()}
        return Window(
            self.step,
            self.span,
            {name: probes[name] for name in self.order if name in probes},
            layers,
            batch,
            norm=together.norm,
            slope=together.slope,
            alike=together.alike,
            kept=together.kept,
            cleared=sum(cleared) / len(cleared) if cleared else math.nan,
            skipped=self.skipped,
        )

    @staticmethod
    def _layer(seen: Seen, left: object) -> LayerProbe:
        found = {
            name: next(left)[0]  # type: ignore[call-overload]
            for name, value in vars(seen).items()
            if isinstance(value, Tensor)
        }
        lowest, highest = found.pop("lowest", math.nan), found.pop("highest", math.nan)
        if (
            not math.isnan(lowest) and max(abs(lowest), abs(highest)) < 0.9
        ):  # never near an end: nothing says it is bounded
            found.pop("saturated", None)
        return LayerProbe(reads_data=seen.reads_data, **found)

    def read_histograms(self) -> Histograms:
        """Brings the histograms to the host."""
        kinds: list[dict] = [{}, {}, {}]
        for each in self.measured:
            if each.bins is None:
                continue
            for kind, rows in zip(kinds, each.bins.tolist()):
                kind.update((name, histogram(counts)) for name, counts in zip(each.names, rows))
        weights, gradients, updates = kinds
        return Histograms(self.step, weights, gradients, updates)


@dataclass
class Pending:
    """Losses, validation values and windows since the last time that they came to the host."""

    losses: list[tuple[int, Tensor | float]] = field(default_factory=list)
    rates: list[tuple[str, int, Tensor | float]] = field(default_factory=list)
    scales: list[tuple[int, Tensor | float]] = field(default_factory=list)
    validations: list[tuple[int, Tensor | float, bool, bool]] = field(default_factory=list)
    windows: list[PendingWindow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.losses) + 64 * len(self.windows)

    def move_to(self, record: Record) -> list[Window]:
        """Bring all to the host and into the record.

        Returns:
            The new windows.
        """
        values = [value for _, value in self.losses] + [rate for _, _, rate in self.rates]
        values += [scale for _, scale in self.scales] + [value for _, value, _, _ in self.validations]
        tensors = [value for value in values if isinstance(value, Tensor)]
        parts = [window.tensors() for window in self.windows]
        numbers = to_host([*tensors, *(tensor for part in parts for tensor in part)])
        scalars = iter(numbers[: len(tensors)])
        plain = iter([next(scalars)[0] if isinstance(value, Tensor) else float(value) for value in values])
        losses = {step: next(plain) for step, _ in self.losses}
        for step, loss in losses.items():
            record.loss.append(step, loss)
        for name, step, _ in self.rates:
            record.learning_rates.setdefault(name, type(record.loss)()).append(step, next(plain))
        for step, _ in self.scales:
            record.scale.append(step, next(plain))
        self._validate(record, [next(plain) for _ in self.validations])
        at, windows = len(tensors), []
        for window, part in zip(self.windows, parts):
            found = window.read(numbers[at : at + len(part)])
            windows.append(replace(found, loss=losses.get(window.step, math.nan)))
            at += len(part)
        self._keep_histograms(record)
        record.windows = thinned([*record.windows, *windows])
        self.losses, self.rates, self.scales, self.validations, self.windows = [], [], [], [], []
        return windows

    def _validate(self, record: Record, values: list[float]) -> None:
        for (step, _, mode, weights), value in zip(self.validations, values):
            begin = record.validation[-1].step if record.validation else 0
            losses = [loss for at, loss in record.loss if begin < at <= step]
            training = sum(losses) / len(losses) if losses else math.nan
            record.validation.append(Validation(step, value, training, mode, weights))

    def _keep_histograms(self, record: Record) -> None:
        """Those of steps that double, and of the last watched step."""
        drawn = [window for window in self.windows if any(each.bins is not None for each in window.measured)]
        if not drawn:
            return
        if record.histograms and not record.last_histograms_stay:
            record.histograms.pop()
        for window in drawn:
            if window.histograms or window is drawn[-1]:
                record.histograms.append(window.read_histograms())
        record.last_histograms_stay = drawn[-1].histograms


def thinned(windows: list[Window]) -> list[Window]:
    """Fewer windows where there are too many; those that stay stand for the steps of those that go."""
    if len(windows) <= KEPT_WINDOWS:
        return windows
    first, rest = windows[: KEPT_WINDOWS // 8], windows[KEPT_WINDOWS // 8 :]
    odd = rest[-1:] if len(rest) % 2 else []
    pairs = zip(rest[: len(rest) - len(odd) : 2], rest[1::2])
    return [*first, *(replace(b, span=a.span + b.span) for a, b in pairs), *odd]
