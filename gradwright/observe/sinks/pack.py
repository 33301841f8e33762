"""Windows and histograms as short arrays of plain values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from gradwright.observe.record import (
    BatchProbe,
    Histogram,
    Histograms,
    LayerProbe,
    ParameterProbe,
    Window,
)

FORMAT = "gradwright run 1"
"""What the first line of a file says."""

DIGITS = 7
"""Significant digits of a probe: half of what a float has, for half of the file."""

KINDS: dict[str, Any] = {"parameters": ParameterProbe, "layers": LayerProbe}
"""Fields of a window that hold probes, and what these are."""

PLAIN = tuple(field.name for field in fields(Window) if field.name not in (*KINDS, "batch"))
"""Fields of a window that are one value."""

WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
PARTS = ("weights", "gradients", "updates")
BINS = 64
"""Of each side of a histogram."""


def columns(probes: Sequence[Any]) -> dict[str, list[Any]]:
    """Each field of the probes as an array; fields that have their default everywhere are left out."""
    if not probes:
        return {}
    found = {}
    for field in fields(probes[0]):
        column = [getattr(probe, field.name) for probe in probes]
        if any(not _same(value, field.default) for value in column):
            found[field.name] = [value if isinstance(value, bool) else _rounded(value) for value in column]
    return found


def uncolumned(names: Sequence[str], found: Mapping[str, Sequence[Any]], kind: Any) -> dict[str, Any]:
    """The probes by name from their columns."""
    rows = zip(*found.values()) if found else ((),) * len(names)
    return {name: kind(**dict(zip(found, row))) for name, row in zip(names, rows)}


def packed(several: Histograms) -> dict[str, Any]:
    """Histograms, each side without the empty bins at its ends."""
    parts = {part: {name: _short(counts) for name, counts in getattr(several, part).items()} for part in PARTS}
    return {"step": several.step, **parts}


def unpacked(found: Mapping[str, Any]) -> Histograms:
    """Histograms from what :func:`packed` made."""
    parts = {part: {name: _long(short) for name, short in found[part].items()} for part in PARTS}
    return Histograms(found["step"], **parts)


def window(found: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> Window:
    """A window from its line; ``names`` are those of the rows of its probes."""
    values: dict[str, Any] = {name: found[name] for name in PLAIN}
    for part, kind in KINDS.items():
        values[part] = uncolumned(names.get(part, ()), found[part], kind)
    if "batch" in found:
        values["batch"] = BatchProbe(**found["batch"])
    return Window(**values)


def plain(value: Any) -> Any:
    """The value in strict JSON: numbers that are not finite as the words "nan", "inf" and "-inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def unplain(value: Any) -> Any:
    """What :func:`plain` was given, tuples as lists. A name is a key, and so never taken for a number."""
    if isinstance(value, str):
        return WORDS.get(value, value)
    if isinstance(value, dict):
        return {key: unplain(each) for key, each in value.items()}
    return [unplain(each) for each in value] if isinstance(value, list) else value


def _same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _short(counts: Histogram) -> list[Any]:
    return [counts.zero, *(part for side in (counts.negative, counts.positive) for part in _trimmed(side))]


def _long(short: Sequence[Any]) -> Histogram:
    zero, first, negative, second, positive = short
    return Histogram(_padded(first, negative), zero, _padded(second, positive))


def _trimmed(side: Sequence[int]) -> tuple[int, list[int]]:
    filled = [at for at, count in enumerate(side) if count]
    return (filled[0], list(side[filled[0] : filled[-1] + 1])) if filled else (0, [])


def _padded(first: int, counts: Sequence[int]) -> tuple[int, ...]:
    return (*(0,) * first, *counts, *(0,) * (BINS - first - len(counts)))
