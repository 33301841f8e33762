"""A study as JSON, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from gradwright.study.record.study import Point, RunRecord, Study, TaskNote
from gradwright.study.tasks.task import Metric

FORMAT = 1


def to_json(study: Study) -> str:
    """Strict JSON; numbers that are not finite are written as the strings "nan", "inf", "-inf"."""
    content = asdict(study)
    del content["files"]
    return json.dumps(_words({"format": FORMAT, **content}), indent=1, allow_nan=False)


def from_json(text: str) -> Study:
    """The study that :func:`to_json` wrote.

    Raises:
        ValueError: it was written in another format, or is not whole.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f"these results were written in another format: this version reads format {FORMAT}")
    try:
        return _study(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these results are not whole ({type(error).__name__}: {error}): write them anew") from error


def _study(content: dict[str, Any]) -> Study:
    content["tasks"] = tuple(
        TaskNote(**{**task, "metrics": tuple(Metric(**metric) for metric in task["metrics"])})
        for task in content["tasks"]
    )
    content["runs"] = tuple(
        RunRecord(
            **{
                **_read(RunRecord, run),
                "points": tuple(Point(**_read(Point, point)) for point in run["points"]),
                "calibration": tuple(map(tuple, _numbers(run.get("calibration", ())))),
                "findings": tuple(run.get("findings", ())),
            }
        )
        for run in content["runs"]
    )
    return Study(**content)


def _words(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _words(each) for key, each in value.items()}
    return [_words(each) for each in value] if isinstance(value, list | tuple) else value


def _read(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a data class, numbers read where it has numbers: a label may be the word "nan"."""
    numeric = {field.name for field in fields(kind) if "float" in str(field.type)}
    return {name: _numbers(value) if name in numeric else value for name, value in content.items()}


def _numbers(value: Any) -> Any:
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    return [_numbers(each) for each in value] if isinstance(value, list) else value
