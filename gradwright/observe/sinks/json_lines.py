"""A run as a file of JSON lines, written while it runs."""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gradwright.observe.record import Record, Window
from gradwright.observe.series import Series
from gradwright.observe.sinks.pack import FORMAT, KINDS, PLAIN, columns, packed, plain
from gradwright.observe.sinks.tensorboard import settled


class JsonLines:
    """Writes a file with a line for each watched step: what has become known since the line before.

    The first line says the format. A probe is an array over parameters or modules, in the order of their names, with
    seven digits; NaN is null, infinities are the strings "inf" and "-inf". Histograms are those of steps that double.

    Args:
        path: of the file; one that is there is written anew.

    Raises:
        ValueError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._last: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}
        self._known: dict[str, Any] = {}
        try:
            with open(self.path, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(json.dumps({"format": FORMAT}) + "\n")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise ValueError(
                f"path={self.path!r} cannot be written ({said}): name a file in a folder that can"
            ) from error

    def __call__(self, window: Window, record: Record) -> None:
        self._write({"window": self._window(window), **self._news(record)})

    def close(self, record: Record) -> None:
        """Write what came after the last watched step."""
        self._write(self._news(record))

    def _write(self, piece: dict[str, Any]) -> None:
        # opened for each line: nothing is held open for days, and what is written is written
        with open(self.path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(plain(piece), allow_nan=False, ensure_ascii=False) + "\n")

    def _window(self, window: Window) -> dict[str, Any]:
        found = {name: getattr(window, name) for name in PLAIN}
        for part in KINDS:
            probes = getattr(window, part)
            names = list(probes)
            if names != self._names.get(part, []):
                found[f"{part} names"] = self._names[part] = names
            found[part] = columns(list(probes.values()))
        if window.batch is not None:
            found["batch"] = asdict(window.batch)
        return found

    def _news(self, record: Record) -> dict[str, Any]:
        """What is not in the file yet, beside windows."""
        found: dict[str, Any] = {"steps": record.steps, "loss": self._points("loss", record.loss)}
        found["scale"] = self._points("scale", record.scale)
        found["learning rates"] = {
            name: self._points(f"rate {name}", each) for name, each in record.learning_rates.items()
        }
        found["validation"] = [each._asdict() for each in self._since("validation", record.validation)]
        found["events"] = [each._asdict() for each in self._since("events", record.events)]
        found["histograms"] = [packed(each) for each in self._since("histograms", settled(record))]
        found["parameters"] = {name: asdict(held) for name, held in record.parameters.items()}
        found["settings"] = {name: dict(each) for name, each in record.settings.items()}
        found |= {"data": asdict(record.data), "activations": record.activations}
        for name in ("parameters", "settings", "data", "activations"):
            if self._known.get(name) == found[name]:
                del found[name]
            else:
                self._known[name] = found[name]
        return {name: value for name, value in found.items() if value not in ([], {})}

    def _points(self, name: str, series: Series) -> list[tuple[int, float]]:
        begin = bisect.bisect_right(series.steps, self._last.get(name, 0))
        new = list(zip(series.steps[begin:], series.values[begin:]))
        self._last[name] = new[-1][0] if new else self._last.get(name, 0)
        return new

    def _since(self, name: str, every: Sequence[Any]) -> Sequence[Any]:
        begin, self._last[name] = self._last.get(name, 0), len(every)
        return every[begin:]

    def __repr__(self) -> str:
        return f"to_json_lines({self.path!r})"
