"""Which rows of the contract's table an engine test runs: a few that differ in kind at once, all in the slow tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from gradwright.core import ParamSpec
from gradwright.fusion import fusion
from tests.contract.table import ROWS

FIRST = tuple({row.recipe: row for row in reversed(ROWS)}.values())[::-1]
"""The first row of every recipe."""
MATRIX = ParamSpec((9, 7))
_RUNS_AS_KERNELS = tuple(
    row
    for row in ROWS
    if (how := fusion(row.recipe.formula, MATRIX, row.knobs)) is None or how.kernels  # None: it serves no such matrix
)
FUSED = tuple(row for row in FIRST if row in _RUNS_AS_KERNELS)
"""Of these the ones that run as kernels on a matrix; what plain torch runs, other tests see."""
SAMPLE = tuple({row.recipe.formula.traits: row for row in reversed(FUSED)}.values())[::-1][:12]
"""Some of these, each with traits of its own."""


def fused(rows: Iterable[Any]) -> list[Any]:
    """Those of ``rows`` that run as kernels on a matrix."""
    return [row for row in rows if row in _RUNS_AS_KERNELS]


def params(rows: Sequence[Any], fast: Sequence[Any] = SAMPLE) -> list[Any]:
    """Parameters for a test of ``rows``, of which those outside ``fast`` are slow."""
    return [pytest.param(row, id=str(row), marks=() if row in fast else pytest.mark.slow) for row in rows]
