"""The learning rate range test: one short run whose learning rate climbs until the loss does."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gradwright.study.runs.arguments import read_tasks
from gradwright.study.runs.contenders import contenders
from gradwright.study.runs.run import main_group
from gradwright.study.runs.step import Step, switches
from gradwright.study.tasks.seeding import RandomStream

BELOW, ABOVE = 1e-4, 1e3
"""Where the search begins and ends, relative to the optimizer's default."""
MEMORY = 0.9
"""The decay of the average by which the loss is smoothed."""
GONE = 4.0
"""The search ends where the smoothed loss has climbed by this multiple of what it had fallen, or of a batch's noise
where that is more, or is not finite."""
FIRST = 14
"""The first of so many parts of the run, half a decade by default, is where nothing happens yet: its mean is where the
loss begins, its deviation the noise of a batch."""
FALLEN, SHARE = 0.8, 3.0
"""The suggestion: a third of the rate by which four fifths of the fall were gone through."""
LEAST = 20
"""Steps, of which fewer say nothing."""


@dataclass(frozen=True)
class RateSearch:
    """What a range test has seen.

    Args:
        task: the name of the task.
        optimizer: the label of the optimizer.
        rates: the learning rate at each step.
        losses: the loss of the batch at each step.
        smoothed: their average with decay 0.9, corrected for its start.
        ended: why it ended.
    """

    task: str
    optimizer: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    ended: str

    @property
    def lowest(self) -> float:
        """The learning rate at which the smoothed loss was least."""
        return self.rates[self._bottom]

    @property
    def steepest(self) -> float:
        """The learning rate at which the smoothed loss fell fastest per decade, before it was least."""
        slopes = [
            (self.smoothed[at + 1] - self.smoothed[at - 1]) / math.log(self.rates[at + 1] / self.rates[at - 1])
            for at in range(1, max(self._bottom, 2))
        ]
        return self.rates[1 + slopes.index(min(slopes))]

    @property
    def fallen(self) -> float:
        """The learning rate by which the smoothed loss had gone through four fifths of its fall."""
        begin, _ = _beginning(self.losses, len(self.losses))
        mark = begin - FALLEN * (begin - self.smoothed[self._bottom])
        first = _settled(len(self.losses))
        return next((self.rates[at] for at in range(first, self._bottom) if self.smoothed[at] <= mark), self.lowest)

    @property
    def learned(self) -> bool:
        """Whether the loss fell by more than the noise of a batch."""
        begin, noise = _beginning(self.losses, len(self.losses))
        return begin - self.smoothed[self._bottom] > noise

    @property
    def suggestion(self) -> float:
        """A learning rate to begin with: a third of :attr:`fallen`; nan where nothing was :attr:`learned`."""
        return self.fallen / SHARE if self.learned else math.nan

    @property
    def _bottom(self) -> int:
        first = _settled(len(self.smoothed))
        usable = [value if math.isfinite(value) else math.inf for value in self.smoothed[first:]]
        return first + usable.index(min(usable))

    def save(self, path: str | Path) -> Path:
        """The curve as an SVG or PNG picture, by the ending of the path."""
        from gradwright.study.report.rates import picture

        return picture(self, Path(path))

    def __str__(self) -> str:
        if not self.learned:
            return (
                f"{self.optimizer} on {self.task}: the loss fell by no more than the noise of a batch between "
                f"lr={self.rates[0]:.2g} and {self.rates[-1]:.2g}: give another range, more steps or larger batches"
            )
        return (
            f"{self.optimizer} on {self.task}: the loss was least at lr={self.lowest:.2g}, fell fastest at "
            f"{self.steepest:.2g}; begin with {self.suggestion:.2g} ({self.ended} after {len(self.rates)} steps)"
        )


def find_lr(
    task: Any,
    optimizer: Any = "AdamW",
    *,
    low: float | None = None,
    high: float | None = None,
    steps: int = 140,
    seed: int = 0,
) -> RateSearch:
    r"""Let the learning rate climb from ``low`` to ``high`` in one short run, and see where the loss stops falling.

    .. math:: \eta_i = \text{low} \, (\text{high} / \text{low})^{i / (n - 1)}

    (arXiv:1506.01186.) It is a hint and no tuning: one noisy run of a hundred steps knows nothing of the horizon, and
    what falls fastest at first is seldom what ends lowest. How good its suggestions are is in docs/no_tuning.md.
    The model is a fresh one; nothing of the user's is changed.

    Args:
        task: as for :func:`compare`: a name, a :class:`Task`, or (model_factory, train, validation, loss_fn).
        optimizer: a name, a recipe, or a function from a model to an optimizer. Groups keep their proportions.
        low, high: the range, positive; a ten thousandth to a thousand times the optimizer's default if not given.
        steps: how many steps it takes, at least 20; 20 for each decade by default.
        seed: of weights and batches.

    Returns:
        A :class:`RateSearch`, with ``suggestion``, the curve and ``save(path)``.

    Raises:
        ValueError: the range is empty, there are too few steps, several tasks or optimizers are given, or the loss is
            not finite at the lowest learning rate.
    """
    if steps < LEAST:
        raise ValueError(f"steps={steps} must be at least {LEAST}: a curve of fewer says nothing")
    chosen, entered = read_tasks(task), contenders(optimizer)
    if len(chosen) > 1 or len(entered) > 1:
        raise ValueError("find_lr looks at one task and one optimizer: name one of each")
    where, contender = chosen[0], entered[0]
    with RandomStream(where.seeded, seed, "find_lr"):
        session = where.begin(seed)
        made = contender.build(session.model)
        defaults = [float(group["lr"]) for group in made.param_groups]
        main = defaults[main_group(made, contender.recipe)]
        first, last = low or main * BELOW, high or main * ABOVE
        if not 0 < first < last < math.inf:
            raise ValueError(f"low={first:g}, high={last:g} is no range: give 0 < low < high")
        advance = Step(session, made, (where.seeded, seed))
        session.model.train()
        if switches(made):
            made.train()  # type: ignore[attr-defined]
        return _climb(where.name, contender.name, advance, made, [rate / main for rate in defaults], first, last, steps)


def _climb(
    task: str,
    name: str,
    advance: Step,
    optimizer: torch.optim.Optimizer,
    shares: list[float],
    low: float,
    high: float,
    steps: int,
) -> RateSearch:
    rates, losses, smoothed = [], [], []
    average, ended = 0.0, "the range was gone through"
    for step in range(steps):
        rate = low * (high / low) ** (step / (steps - 1))
        for group, share in zip(optimizer.param_groups, shares):
            group["lr"] = rate * share
        loss, _ = advance(step)
        if not math.isfinite(loss):
            if step < _settled(steps):
                raise ValueError(f"the loss became {loss} at step {step + 1}, lr={rate:g}: give a lower low")
            ended = "the loss was not finite"
            break
        average = MEMORY * average + (1 - MEMORY) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(average / (1 - MEMORY ** (step + 1)))
        if step >= _settled(steps) and _climbed(losses, smoothed, steps):
            ended = "the loss had climbed far"
            break
    return RateSearch(task, name, tuple(rates), tuple(losses), tuple(smoothed), ended)


def _settled(steps: int) -> int:
    """The steps of a run during which the loss is not judged."""
    return max(3, steps // FIRST)


def _beginning(losses: Sequence[float], steps: int) -> tuple[float, float]:
    """Where the loss begins, and the noise of a batch."""
    first = losses[: _settled(steps)]
    return statistics.fmean(first), statistics.stdev(first)


def _climbed(losses: Sequence[float], smoothed: Sequence[float], steps: int) -> bool:
    """Whether the loss has climbed so far that it will not come back."""
    begin, noise = _beginning(losses, steps)
    best = min(smoothed[_settled(steps) :])
    return smoothed[-1] > best + GONE * max(begin - best, noise, 1e-3 * abs(begin))
