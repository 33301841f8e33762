"""Coordinate descent on a quadratic model over sparse columns, one prediction a row, with the intercept eliminated.

    q(δ) = g·δ + ½ Σᵢ hᵢ (xᵢ·δ + c)² + ½ Σⱼ λ₂ⱼ δⱼ² + Σⱼ λ₁ⱼ |wⱼ + δⱼ|,     c = −m·δ with mⱼ = Σᵢ hᵢ xᵢⱼ / Σᵢ hᵢ

c is the best intercept for every δ, so that no column has to work against it. uᵢ = hᵢ xᵢ·δ is kept up to date: the
slope of a column then costs one look-up for each of its entries, and a column that stays at zero costs no more.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import kernels

SOURCE = """
#include <cmath>
#include <cstdint>
#include <vector>
#include <algorithm>
typedef int64_t I;
template <class T>
static int run(I n, I m, const I *chosen, const I *ptr, const int32_t *rows, const T *x, const double *h,
               double total, double *g, double gb, const double *ridge, const double *l1, double *w,
               double *intercept, int sweeps, double tol) {
    // a row's h u and its curvature lie together: whoever changes the one needs the other
    struct Row { double u, h; };
    std::vector<Row> row(n);
    for (I i = 0; i < n; i++) row[i] = {0., h[i]};
    std::vector<double> mean(m), bend(m), start(w, w + m);
    double unit = 1e-300;
    for (I a = 0; a < m; a++) {
        double first = 0, second = 0;
        for (I e = ptr[chosen[a]]; e < ptr[chosen[a] + 1]; e++) {
            double hx = h[rows[e]] * (double)x[e];
            first += hx; second += hx * (double)x[e];
        }
        mean[a] = total > 0 ? first / total : 0.;
        bend[a] = second - mean[a] * first + ridge[a];
        // the intercept in disguise has no curvature of its own, nor has an empty column: its coefficient goes to zero
        bend[a] = std::max(bend[a], std::max(1e-14 * second, 1e-300));
        g[a] -= mean[a] * gb;
        unit = std::max(unit, l1[a]);
    }
    std::vector<I> every(m), live;
    for (I a = 0; a < m; a++) every[a] = a;
    bool all = true;
    double sum = 0;
    int done = 0;
    for (; done < sweeps; done++) {
        double worst = 0;
        if (all) live.clear();
        for (I a : all ? every : live) {
            I low = ptr[chosen[a]], high = ptr[chosen[a] + 1], e = low;
            double L = bend[a], even = 0, odd = 0;
            for (; e + 1 < high; e += 2) {
                even += (double)x[e] * row[rows[e]].u;
                odd += (double)x[e + 1] * row[rows[e + 1]].u;
            }
            if (e < high) even += (double)x[e] * row[rows[e]].u;
            double t = w[a] * L - (g[a] + even + odd - mean[a] * sum + ridge[a] * (w[a] - start[a]));
            double size = std::fabs(t) - l1[a], next = size > 0 ? (t > 0 ? size : -size) / L : 0., by = next - w[a];
            if (all && (next != 0 || by != 0)) live.push_back(a);
            if (by == 0) continue;
            w[a] = next; sum += by * mean[a] * total;
            for (e = low; e < high; e++) { Row &at = row[rows[e]]; at.u += at.h * (double)x[e] * by; }
            worst = std::max(worst, L * std::fabs(by) / (l1[a] > 0 ? l1[a] : unit));
        }
        if (worst <= tol) {
            if (all) { done++; break; }
            all = true;
        } else all = false;
    }
    *intercept = total > 0 ? -(gb + sum) / total : 0.;
    return done;
}
#define ARGUMENTS(T) \\
    I n, I m, const I *chosen, const I *ptr, const int32_t *rows, const T *x, const double *h, double total, \\
    double *g, double gb, const double *ridge, const double *l1, double *w, double *intercept, int sweeps, double tol
#define CALL n, m, chosen, ptr, rows, x, h, total, g, gb, ridge, l1, w, intercept, sweeps, tol
extern "C" int descend_float(ARGUMENTS(float)) { return run(CALL); }
extern "C" int descend_double(ARGUMENTS(double)) { return run(CALL); }
"""


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
    return None if kernels.chosen() == "plain" else kernels.load(SOURCE)


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
    at, number = kernels.address, ctypes.c_double
    given = [np.ascontiguousarray(a, np.float64) for a in (ridge, l1)]
    place, g = columns.place[chosen], np.array(g, np.float64)
    done = call(
        ctypes.c_int64(len(h)), ctypes.c_int64(len(chosen)), at(place), at(columns.ptr), at(columns.rows),
        at(columns.held.data), at(h), number(float(h.sum()) if free else 0.0), at(g), number(gb), at(given[0]),
        at(given[1]), at(w), at(step), sweeps, number(tol),
    )  # fmt: skip
    return float(step[0]), done
