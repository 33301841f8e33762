"""A watched step as one flat dictionary of floats, which is what loggers take."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from gradwright.core.spelling import nearest
from gradwright.observe.record import BatchProbe, LayerProbe, ParameterProbe, Record, Window
from gradwright.observe.series import Series

PROBES = tuple(dict.fromkeys(each.name for kind in (ParameterProbe, LayerProbe) for each in fields(kind)))
"""Names of what is measured of parameters and of modules."""


def flat(window: Window, record: Record, only: Iterable[str] | None = None) -> dict[str, float]:
    """The numbers of a watched step by name, such as ``"layer.weight/relative_update"``; "step" is one of them.

    What was not measured is left out. A loss that is not finite stays, as what it is.

    Args:
        window: the watched step.
        record: of the run so far, for learning rates, validation and the like.
        only: which probes of parameters and modules are wanted; None for all.

    Raises:
        ValueError: ``only`` names something that is no probe.
    """
    wanted = checked(only)
    found = {"step": float(window.step), "gradient_norm": window.norm, "scale": latest(record.scale, window.step)}
    found |= {f"learning_rate/{name}": latest(rates, window.step) for name, rates in record.learning_rates.items()}
    if window.batch is not None:
        found |= {f"batch/{name}": value for name, value in _numbers(window.batch, BatchProbe)}
    for probes, kind in ((window.parameters, ParameterProbe), (window.layers, LayerProbe)):
        for layer, probe in probes.items():
            found |= {f"{layer}/{name}": value for name, value in _numbers(probe, kind) if name in wanted}
    measured = {name: value for name, value in found.items() if not math.isnan(value)}
    return measured | _losses(window, record)


def checked(only: Iterable[str] | None) -> tuple[str, ...]:
    """Names of probes; all of them for None."""
    if only is None:
        return PROBES
    wanted = (only,) if isinstance(only, str) else tuple(only)
    if strange := next((name for name in wanted if name not in PROBES), None):
        raise ValueError(f"only={strange!r} is no probe; {nearest(strange, PROBES, 'there are ' + ', '.join(PROBES))}")
    return wanted


def latest(series: Series, step: int) -> float:
    """The value of a series at this step, or the last before; NaN where there is none."""
    place = bisect.bisect_right(series.steps, step)
    return series.values[place - 1] if place else math.nan


class Callback:
    """Gives each watched step to a callable as :func:`flat` makes it.

    Args:
        function: takes the dictionary.
        only: which probes are wanted; None for all.

    A validation value goes with the first watched step after it.
    """

    def __init__(self, function: Callable[[dict[str, float]], Any], only: Iterable[str] | None = None) -> None:
        if not callable(function):
            raise TypeError(f"Watch.to: {function!r} cannot be called; give a function that takes a dictionary")
        self.function, self.only, self._told = function, checked(only), 0

    def __call__(self, window: Window, record: Record) -> None:
        found = flat(window, record, self.only)
        new = [each for each in record.validation[self._told :] if each.step <= window.step]
        if new:
            found["validation"] = new[-1].value
            self._told += len(new)
        self.function(found)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


def _losses(window: Window, record: Record) -> dict[str, float]:
    """The loss, where one was passed: a NaN among the losses was."""
    passed = not math.isnan(window.loss) or window.step in record.loss.steps[-64:]
    return {"loss": window.loss} if passed else {}


def _numbers(probe: Any, kind: type) -> Iterable[tuple[str, float]]:
    return ((each.name, float(getattr(probe, each.name))) for each in fields(kind))
