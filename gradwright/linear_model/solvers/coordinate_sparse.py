"""Coordinate descent on a quadratic model over sparse columns, one prediction a row, with the intercept eliminated.

    q(δ) = g·δ + ½ Σᵢ hᵢ (xᵢ·δ + c)² + ½ Σⱼ λ₂ⱼ δⱼ² + Σⱼ λ₁ⱼ |wⱼ + δⱼ|,     c = −m·δ with mⱼ = Σᵢ hᵢ xᵢⱼ / Σᵢ hᵢ

c is the best intercept for every δ, so that no column has to work against it. uᵢ = hᵢ xᵢ·δ is kept up to date: the
slope of a column then costs one look-up for each of its entries, and a column that stays at zero costs no more.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import compiled
from gradwright.linear_model.data.compiled import address
from gradwright.linear_model.data.program import program
from gradwright.linear_model.losses import Penalty

SOURCE = Path(__file__).with_name("coordinate_sparse.cpp")


@dataclass
class Columns:
    """Some columns of X, by column; a working set within them costs no new copy.

    Args:
        X: CSR matrix.
    """

    X: Any

    def __post_init__(self) -> None:
        self.place = np.full(self.X.shape[1], -1, np.int64)
        self.entries = np.bincount(self.X.indices, minlength=self.X.shape[1])
        self.held: Any = None

    def hold(self, chosen: ndarray, likely: ndarray) -> None:
        """Have the columns ``chosen`` here; where one is missing, take the ``likely`` ones too."""
        if np.all(self.place[chosen] >= 0):
            return
        self.held = None  # before the new ones are there, or both would count
        wanted = np.union1d(chosen, likely)
        if 2 * self.entries[wanted].sum() > self.X.nnz:
            X, wanted = self.X, np.arange(self.X.shape[1])
        else:
            X = self.X[:, wanted]
        self.held = X.tocsc()
        self.ptr = self.held.indptr.astype(np.int64)
        self.rows = self.held.indices.astype(np.int32, copy=False)
        self.place[:] = -1
        self.place[wanted] = np.arange(len(wanted))


def library() -> Any:
    """The compiled sweeps, or None where numpy is the choice or there is no compiler."""
    return None if compiled.chosen() == "plain" else compiled.load(program(SOURCE, penalty=Penalty.cpp))


def descend(run, columns: Columns, chosen, h, g, gb, free, ridge, l1, w, sweeps: int, tol: float):
    """Minimise q over the columns ``chosen``, from δ = 0.

    Args:
        run: what ``library`` answers.
        columns: that hold them.
        chosen: m columns of X.
        h: curvature of each row, (n,), with its weight.
        g, gb: slopes of the columns (m,) and of the intercept.
        free: whether there is an intercept.
        ridge, l1: λ₂ and λ₁, (m,).
        w: coefficients (m,); becomes w + δ.
        sweeps: over all or the live columns, at most.
        tol: end when no slope is further from its place than this part of its λ₁.

    Returns:
        the intercept's step, and the sweeps made.
    """
    step = np.zeros(1)
    h = np.ascontiguousarray(h, np.float64)
    call = run.descend_float if columns.held.dtype == np.float32 else run.descend_double
    at, number = address, ctypes.c_double
    given = [np.ascontiguousarray(a, np.float64) for a in (ridge, l1)]
    place, g = columns.place[chosen], np.array(g, np.float64)
    done = call(
        ctypes.c_int64(len(h)), ctypes.c_int64(len(chosen)), at(place), at(columns.ptr), at(columns.rows),
        at(columns.held.data), at(h), number(float(h.sum()) if free else 0.0), at(g), number(gb), at(given[0]),
        at(given[1]), at(w), at(step), sweeps, number(tol),
    )  # fmt: skip
    return float(step[0]), done
