"""Which rows of the contract's table an engine test runs: a few that differ in kind at once, all in the slow tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

import gradwright as gw
from gradwright.core import ParamSpec
from gradwright.describe.fusion import fusion
from tests.contract.table import FIRST, KINDS, ROWS

MATRIX = ParamSpec((9, 7))
_RUNS_AS_KERNELS = tuple(
    row
    for row in ROWS
    if (how := fusion(row.recipe.spec, MATRIX, row.knobs)) is None or how.kernels  # None: it serves no such matrix
)
FUSED = tuple(row for row in FIRST if row in _RUNS_AS_KERNELS)
"""Of these the ones that run as kernels on a matrix; what plain torch runs, other tests see."""
SAMPLE = (
    *(row for row in KINDS if row in FUSED),
    *(row for row in FUSED if row.recipe is gw.Muon and row not in KINDS),
)
"""Of these again a few that have every trait between them, and one that plain torch interrupts."""


LIKE_ANOTHER = {
    "AdaMuon": "NorMuon",
    "AMAdamW": "AMMSGD",
    "ConstrainedAdamW": "AdamCPR",
    "DAdaptSGD": "DAdaptAdam",
    "DoWG": "DoG",
    "LDoG": "DoG",
    "MuonH": "AdamH",
    "ScheduleFreeNorMuon": "NorMuon",
    "SoftlyClippedAdamW": "AdaptivelyClippedAdamW",
}
"""Recipes whose kernels take long to compile, each with one that is made of the same parts."""


def fused(rows: Iterable[Any]) -> list[Any]:
    """Those of ``rows`` that run as kernels on a matrix."""
    return [row for row in rows if row in _RUNS_AS_KERNELS]


def params(rows: Sequence[Any], fast: Sequence[Any] = SAMPLE) -> list[Any]:
    """Parameters for a test of ``rows``, of which those outside ``fast`` are slow."""
    return [pytest.param(row, id=str(row), marks=() if row in fast else pytest.mark.slow) for row in rows]
