"""What watches found in the runs of a study, each cause told once for a contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradwright.observe import Cause, Severity
from gradwright.observe.page.words import middle_cut, title
from gradwright.study.record.study import RunRecord

MOST_LAYERS = 6


class Told(NamedTuple):
    """One cause in some runs of a contender.

    Attributes:
        severity: the gravest.
        title: the cause in a few words.
        sentence: the cause.
        runs: in how many runs of how many.
        evidence, remedy, layers: of the run that is surest.
        confidence: how sure that one is.
    """

    severity: str
    title: str
    sentence: str
    runs: str
    evidence: str
    remedy: str
    layers: tuple[str, ...]
    confidence: float


def told(runs: Sequence[RunRecord]) -> list[Told]:
    """Causes by how grave they are, in how many runs they are and how sure the surest is."""
    by_cause: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        for found in run.findings:
            by_cause.setdefault(found["cause"], []).append(found)
    order = sorted(by_cause.values(), key=lambda many: (_grave(many), len(many), _sure(many)), reverse=True)
    return [_told(many, len(runs)) for many in order]


def _told(many: Sequence[Mapping[str, Any]], runs: int) -> Told:
    surest = max(many, key=lambda found: found["confidence"])
    layers = tuple(middle_cut(name, 48) for name in surest["layers"][:MOST_LAYERS])
    more = len(surest["layers"]) - len(layers)
    return Told(
        severity=str(Severity(_grave(many))),
        title=title(Cause[surest["cause"]]),
        sentence=surest["sentence"],
        runs="in its run" if runs == 1 else f"in {len(many)} of {runs} runs",
        evidence=surest["evidence"],
        remedy=surest["remedy"],
        layers=(*layers, f"{more} more") if more > 0 else layers,
        confidence=surest["confidence"],
    )


def _grave(many: Sequence[Mapping[str, Any]]) -> int:
    return max(Severity[found["severity"].upper()] for found in many)


def _sure(many: Sequence[Mapping[str, Any]]) -> float:
    return max(found["confidence"] for found in many)
