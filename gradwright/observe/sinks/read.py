"""A record from a file of JSON lines: for a page or a diagnosis later, or elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from gradwright.observe.record import Data, Event, Held, Record, Validation
from gradwright.observe.sinks.pack import FORMAT, KINDS, unpacked, unplain, window


def read(path: str | os.PathLike[str]) -> Record:
    """The record of a run whose watch wrote to this file.

    A last line without its end, as a full disk or the death of a process leaves it, is left out.

    Args:
        path: of a file that ``Watch.to_json_lines`` wrote.

    Raises:
        ValueError: the file is not there, was written in another format, or is broken before its end.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"path={str(path)!r} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if _parsed(lines[0]) != {"format": FORMAT}:
        raise ValueError(f"path={str(path)!r} was not written by Watch.to_json_lines of this version ({FORMAT!r})")
    record, names = Record(), dict[str, list[str]]()
    for at, line in enumerate(lines[1:-1], 2):
        try:
            _add(record, json.loads(line), names)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"path={str(path)!r} is broken in line {at}, or of another version ({type(error).__name__}: {error})"
            raise ValueError(f"{said}: restore the file, or read it with the version that wrote it") from error
    return record


def _add(record: Record, line: dict[str, Any], names: dict[str, list[str]]) -> None:
    """Add what a line says. Names of parameters stay words, whatever they are; all else is numbers where it can be."""
    raw, piece = line.get("window", {}), unplain(line)
    names.update({part: raw[f"{part} names"] for part in KINDS if f"{part} names" in raw})
    if "window" in piece:
        record.windows.append(window(piece["window"], names))
    record.steps = piece["steps"]
    for step, value in piece.get("loss", ()):
        record.loss.append(step, value)
    for step, value in piece.get("scale", ()):
        record.scale.append(step, value)
    for step, name, value in _rates(piece):
        record.learning_rates.setdefault(name, type(record.loss)()).append(step, value)
    record.validation += [Validation(**each) for each in piece.get("validation", ())]
    record.events += [Event(**{**each, "layers": tuple(each["layers"])}) for each in line.get("events", ())]
    record.histograms += [unpacked(each) for each in piece.get("histograms", ())]
    if "parameters" in line:
        record.parameters = {name: _held(each) for name, each in line["parameters"].items()}
    if "data" in piece:
        record.data = Data(**{**piece["data"], "counts": tuple(piece["data"]["counts"])})
    record.settings = piece.get("settings", record.settings)
    record.activations = piece.get("activations", record.activations)


def _rates(piece: dict[str, Any]) -> Iterator[tuple[int, str, float]]:
    for name, points in piece.get("learning rates", {}).items():
        for step, value in points:
            yield step, name, value


def _held(found: dict[str, Any]) -> Held:
    return Held(**{**found, "shape": tuple(found["shape"])})


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
