"""A view on a record for rules: the same few questions, answered once. Every answer is free of the problem's scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from statistics import fmean, median

from gradwright.observe.record import NAN, BatchProbe, Held, ParameterProbe, Record, Window

EARLY = 20
"""Windows up to this step are the early ones."""


def known(values: Iterable[float]) -> list[float]:
    """Those that are numbers."""
    return [value for value in values if not math.isnan(value)]


def typical(values: Iterable[float]) -> float:
    """The median of what is known; NaN of nothing."""
    found = known(values)
    return median(found) if found else NAN


def mean(values: Iterable[float]) -> float:
    """The mean of what is known; NaN of nothing."""
    found = known(values)
    return fmean(found) if found else NAN


def most(values: Iterable[float]) -> float:
    """The largest of what is known; NaN of nothing."""
    return max(known(values), default=NAN)


class Run:
    """What rules ask of a record.

    Args:
        record: of the run.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.windows = record.windows
        self.stepped = [window for window in record.windows if not window.skipped]

    @property
    def early(self) -> list[Window]:
        """Watched steps at the beginning on which an optimizer stepped."""
        return [window for window in self.stepped if window.step <= EARLY]

    @property
    def late(self) -> list[Window]:
        """The last third of the watched steps after the early ones; of a short run, the last third of all."""
        rest = [window for window in self.stepped if window.step > EARLY] or self.stepped
        return rest[-max(1, len(rest) // 3) :]

    @property
    def thirds(self) -> list[list[Window]]:
        """The windows in which an optimizer stepped, first, middle and last."""
        size = -(-len(self.stepped) // 3)
        return [self.stepped[at : at + size] for at in range(0, len(self.stepped), size)] if size else []

    @cached_property
    def trained(self) -> dict[str, Held]:
        """The model's parameters that an optimizer holds and that require a gradient."""
        every = self.record.parameters.items()
        return {name: held for name, held in every if held.in_model and held.optimizer and held.trainable}

    @cached_property
    def matrices(self) -> list[str]:
        """Those of them with two dimensions or more, in the model's order."""
        return [name for name, held in self.trained.items() if len(held.shape) >= 2]

    def entries(self, name: str) -> int:
        return math.prod(self.record.parameters[name].shape)

    def probes(self, window: Window) -> dict[str, ParameterProbe]:
        """Of the trained parameters that had a gradient."""
        every = window.parameters.items()
        return {name: probe for name, probe in every if name in self.trained and not probe.absent}

    def weighted(
        self, window: Window, value: Callable[[ParameterProbe], float], only: Callable[[str], bool] = bool
    ) -> float:
        """Mean of a number over entries of all trained parameters where it is known."""
        pairs = [(self.entries(n), value(p)) for n, p in self.probes(window).items() if only(n)]
        pairs = [(count, number) for count, number in pairs if not math.isnan(number)]
        total = sum(count for count, _ in pairs)
        return sum(count * number for count, number in pairs) / total if total else NAN

    def relative_update(self, window: Window) -> float:
        """rms of the whole change over rms of all weights."""
        change = self.weighted(window, lambda probe: probe.update**2 if not math.isnan(probe.weight) else NAN)
        weight = self.weighted(window, lambda probe: probe.weight**2 if not math.isnan(probe.update) else NAN)
        return math.sqrt(change / weight) if weight > 0 else NAN

    @cached_property
    def largest_update(self) -> float:
        """The largest of :meth:`relative_update` in the run."""
        return most(map(self.relative_update, self.stepped))

    def update_of_first(self, window: Window) -> float:
        """:meth:`relative_update` without weight decay, of weights as large as at first where they have shrunk."""
        first, now = self._weight(self.stepped[0]), self._weight(window)
        shrunk = now / first if first > now else 1.0
        decay = self.decay_share(window)
        rest = math.sqrt(max(0.0, 1 - decay**2)) if decay > 0 else 1.0
        return self.relative_update(window) * shrunk * rest

    def _weight(self, window: Window) -> float:
        square = self.weighted(window, lambda probe: probe.weight**2)
        return math.sqrt(square) if square >= 0 else NAN

    def decay_share(self, window: Window) -> float:
        """How much of the whole change is weight decay."""
        of_decay = self.weighted(window, lambda probe: (probe.decay * probe.update) ** 2)
        change = self.weighted(window, lambda probe: probe.update**2 if not math.isnan(probe.decay) else NAN)
        return math.sqrt(of_decay / change) if change > 0 else NAN

    def eps_share_of(self, name: str) -> float:
        """The typical share of a parameter's entries that eps rules; 1 where it has no second moment."""
        shares = known(window.parameters[name].eps for window in self.stepped if name in window.parameters)
        return median(shares) if shares else 1.0

    def sensitivity(self, window: Window) -> dict[str, float]:
        """‖g‖ ‖p‖ of each matrix, in the model's order: the change of the loss for a relative change of the weights."""
        probes = self.probes(window)
        return {
            name: probes[name].gradient * probes[name].weight * self.entries(name)
            for name in self.matrices
            if name in probes
        }

    def signals(self, window: Window) -> dict[str, float]:
        """‖g‖ of each vector, in the model's order: a bias has the gradient of what its layer makes."""
        probes = self.probes(window)
        vectors = [name for name, held in self.trained.items() if len(held.shape) == 1 and name in probes]
        return {name: probes[name].gradient * math.sqrt(self.entries(name)) for name in vectors}

    @cached_property
    def losses(self) -> list[float]:
        """At every step, those that are finite."""
        return [loss for _, loss in self.record.loss if math.isfinite(loss)]

    @property
    def first_loss(self) -> float:
        """Median of the first few losses: the first alone where the run is short."""
        return median(self.losses[: max(1, min(5, len(self.losses) // 20))]) if self.losses else NAN

    @property
    def last_loss(self) -> float:
        """Median of the last tenth."""
        return median(self.losses[-max(1, len(self.losses) // 10) :]) if self.losses else NAN

    @property
    def drop(self) -> float:
        """How much of its first size the loss has lost at the end; below 0 where it has grown."""
        return (self.first_loss - self.last_loss) / abs(self.first_loss) if self.first_loss else NAN

    @property
    def grew(self) -> float:
        """The last loss over the very first, which no step has spoilt yet."""
        return self.last_loss / self.losses[0] if self.losses and self.losses[0] > 0 else NAN

    @cached_property
    def broke_at(self) -> int | None:
        """The first step at which something was not finite: the loss, a gradient, a weight, what a layer made."""
        loss = next((step for step, value in self.record.loss if not math.isfinite(value)), None)
        scaled = bool(self.record.scale)  # a scaler is there for gradients that overflow, and skips their steps
        taken = (window for window in self.windows if not (scaled and window.skipped))
        window = next((window.step for window in taken if self.broken(window)), None)
        return min((step for step in (loss, window) if step is not None), default=None)

    @staticmethod
    def broken(window: Window) -> bool:
        """Whether something is not finite in a watched step."""
        return any(probe.non_finite > 0 for probe in window.parameters.values()) or any(
            layer.non_finite > 0 for layer in window.layers.values()
        )

    @property
    def batch_size(self) -> float:
        """Samples in a batch; NaN where it is not known."""
        sizes = [batch.size for batch in self.batches(self.windows)]
        return median(sizes) if sizes else self.record.data.size

    @property
    def peak(self) -> float:
        """The largest loss over the very first."""
        return max(self.losses) / self.losses[0] if self.losses and self.losses[0] > 0 else NAN

    @property
    def foreseen(self) -> float:
        """By what share of itself all steps together would lower the loss, if each did what its gradient foretells.

        More than any run does, since gradients bend and are noisy: where even this is small, steps are too small.
        """
        each = known(window.span * window.slope for window in self.stepped)
        return -sum(each) / abs(self.first_loss) if each and self.first_loss else NAN

    @property
    def jitter(self) -> float:
        """The median change of the loss from step to step, by its median."""
        losses = self.losses
        middle = median(losses) if losses else 0.0
        return median(abs(b - a) for a, b in pairwise(losses)) / middle if len(losses) > 2 and middle > 0 else NAN

    @property
    def rates_are_zero(self) -> bool:
        """Whether every learning rate was zero at most steps."""
        every = [series.values for series in self.record.learning_rates.values()]
        return bool(every) and all(sum(rate == 0 for rate in rates) > len(rates) / 2 for rates in every)

    @cached_property
    def last_layers(self) -> set[str]:
        """Layers after the last one with weights of its own: what they make is the output."""
        names = next((list(window.layers) for window in self.windows if window.layers), [])
        owners = {name.rpartition(".")[0] for name in self.record.parameters}
        last = max((at for at, name in enumerate(names) if name in owners), default=-1)
        return set(names[last + 1 :])

    def batches(self, windows: Sequence[Window]) -> list[BatchProbe]:
        """Outputs against targets, where they are known."""
        return [window.batch for window in windows if window.batch is not None]

    def layer_numbers(self, windows: Sequence[Window], value: str) -> dict[str, list[float]]:
        """By layer, in forward order, the known values of one of its probes in these windows."""
        found: dict[str, list[float]] = {}
        for window in windows:
            for name, layer in window.layers.items():
                number = getattr(layer, value)
                if not math.isnan(number):
                    found.setdefault(name, []).append(number)
        return found
