"""Coordinate descent on a quadratic model with L1 and group penalties over a working set of columns.

    q(θ) = g·(θ − θ₀) + ½ Σᵢ δzᵢᵀ Hᵢ δzᵢ + ½ Σ λ₂ (θ − θ₀)² + Σ λ₁ |θ| + Σ_g γ_g ‖θ_g‖,   δz = X (θ − θ₀)

Hᵢ is a number, or for softmax sᵢ (diag p − p pᵀ); δz is kept up to date, so a sweep costs the non-zeros of the columns.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import kernels

WORTH_COMPILING = 100_000
"""Entries of a working set from which compiled sweeps pay."""

SOURCE = """
#include <cmath>
#include <cstdint>
#include <vector>
#include <algorithm>
typedef int64_t I;
struct Model {
    I n, m, K; const I *ptr, *rows; const double *x, *h, *s; double *z, *mean;
    double slope(I j, I k) const {
        double t = 0;
        for (I e = ptr[j]; e < ptr[j + 1]; e++) {
            I i = rows ? rows[e] : e - ptr[j];
            t += x[e] * (s ? s[i] * h[i * K + k] * (z[i * K + k] - mean[i]) : h[i] * z[i]);
        }
        return t;
    }
    void move(I j, I k, double by) {
        for (I e = ptr[j]; e < ptr[j + 1]; e++) {
            I i = rows ? rows[e] : e - ptr[j];
            z[i * K + k] += x[e] * by;
            if (s) mean[i] += h[i * K + k] * x[e] * by;
        }
    }
};
// groups: columns first[g] .. first[g+1]; a group of gamma < 0 is one column with its own L1
extern "C" int descend(I n, I m, I K, const I *ptr, const I *rows, const double *x, const double *h, const double *s,
                       const double *g, const double *ridge, const double *l1, const double *bend, double *theta,
                       double *delta, double *z, double *mean, I groups, const I *first, const double *gamma,
                       int sweeps, double tol) {
    Model q{n, m, K, ptr, rows, x, h, s, z, mean};
    std::vector<char> still(groups, 0);
    std::vector<double> slope;
    bool all = true;
    int done = 0;
    for (; done < sweeps; done++) {
        double worst = 0;
        for (I G = 0; G < groups; G++) {
            if (!all && still[G]) continue;
            I low = first[G], high = first[G + 1];
            double moved = 0;
            if (gamma[G] < 0) {
                for (I k = 0; k < K; k++) {
                    I at = low * K + k;
                    double L = bend[at], a = g[at] + q.slope(low, k) + ridge[low] * delta[at];
                    double t = theta[at] * L - a, v = std::fabs(t) - l1[low];
                    v = v > 0 ? (t > 0 ? v : -v) / L : 0.;
                    double by = v - theta[at];
                    if (by == 0 || L <= 0) continue;
                    theta[at] = v; delta[at] += by; q.move(low, k, by);
                    moved = std::max(moved, L * by * by);
                }
            } else {
                I size = (high - low) * K;
                double L = 0;
                slope.resize(size);
                for (I a = 0; a < size; a++) L += bend[low * K + a];
                for (int again = 0; again < 3; again++) {
                    double norm = 0, most = 0;
                    for (I a = 0; a < size; a++) {
                        I j = low + a / K, at = low * K + a;
                        slope[a] = theta[at] * L - (g[at] + q.slope(j, a % K) + ridge[j] * delta[at]);
                        norm += slope[a] * slope[a];
                    }
                    norm = std::sqrt(norm);
                    double keep = norm > gamma[G] && L > 0 ? (1. - gamma[G] / norm) / L : 0.;
                    for (I a = 0; a < size; a++) {
                        I at = low * K + a;
                        double by = keep * slope[a] - theta[at];
                        if (by == 0) continue;
                        theta[at] += by; delta[at] += by; q.move(low + a / K, a % K, by);
                        most = std::max(most, L * by * by);
                    }
                    moved = std::max(moved, most);
                    if (most == 0) break;
                }
            }
            bool zero = true;
            for (I a = low * K; a < high * K; a++) zero = zero && theta[a] == 0;
            still[G] = zero && moved == 0;
            worst = std::max(worst, moved);
        }
        if (worst <= tol) {
            if (all) { done++; break; }
            all = true;
        } else all = false;
    }
    return done;
}
"""


@dataclass
class Columns:
    """Columns of a working set: values ``x`` of column j from ``ptr[j]``, with their rows, or every row in turn."""

    ptr: ndarray
    rows: ndarray | None
    x: ndarray

    def of(self, j: int) -> tuple[ndarray | slice, ndarray]:
        part = slice(self.ptr[j], self.ptr[j + 1])
        return (slice(None) if self.rows is None else self.rows[part]), self.x[part]


def descend(columns, h, s, g, ridge, l1, theta, first, gamma, sweeps: int, tol: float) -> tuple[ndarray, int]:
    """Minimise q over the working set.

    Args:
        columns: m columns over n rows.
        h: curvature of each row (n, 1) with weights, or probabilities (n, K).
        s: weights (n,) for softmax, else None.
        g: gradient of the smooth part at θ₀, (m, K).
        ridge, l1: λ₂ and λ₁, (m,).
        theta: θ₀, (m, K); becomes θ.
        first: first column of each group and the end; gamma: γ, or −1 for one column with λ₁.
        tol: end when no move changes q by more.

    Returns:
        θ − θ₀ and the sweeps made.
    """
    n, K = h.shape
    m = len(columns.ptr) - 1
    z, mean, delta = np.zeros((n, K)), np.zeros(n), np.zeros((m, K))
    bend = np.empty((m, K))
    for j in range(m):
        at, x = columns.of(j)
        own = h[at] if s is None else (h[at] * (1.0 - h[at])) * s[at][:, None]
        bend[j] = (x * x) @ own + ridge[j]
    library = None
    if kernels.chosen() == "compiled" or (kernels.chosen() == "auto" and columns.x.size * K >= WORTH_COMPILING):
        library = kernels.load(SOURCE)
    if library is None:
        return delta, _plain(columns, h, s, g, ridge, l1, bend, theta, delta, z, mean, first, gamma, sweeps, tol)
    at, whole = kernels.address, ctypes.c_int64
    h, g = np.ascontiguousarray(h, np.float64), np.ascontiguousarray(g)
    kept = (ridge, l1, bend, theta, delta, z, mean)
    done = library.descend(
        whole(n), whole(m), whole(K), at(columns.ptr), at(columns.rows), at(columns.x), at(h), at(s), at(g),
        *(at(array) for array in kept), whole(len(gamma)), at(first), at(gamma), sweeps, ctypes.c_double(tol),
    )  # fmt: skip
    return delta, done


def _plain(columns, h, s, g, ridge, l1, bend, theta, delta, z, mean, first, gamma, sweeps, tol) -> int:
    K = h.shape[1]

    def slope(j: int, k: int) -> float:
        at, x = columns.of(j)
        if s is None:
            return float(x @ (h[at, 0] * z[at, 0])) + g[j, k] + ridge[j] * delta[j, k]
        return float(x @ (s[at] * h[at, k] * (z[at, k] - mean[at]))) + g[j, k] + ridge[j] * delta[j, k]

    def move(j: int, k: int, by: float) -> None:
        at, x = columns.of(j)
        theta[j, k] += by
        delta[j, k] += by
        z[at, k] += x * by
        if s is not None:
            mean[at] += h[at, k] * x * by

    for sweep in range(sweeps):
        worst = 0.0
        for low, high, strength in zip(first[:-1], first[1:], gamma):
            if strength < 0:
                for k in range(K):
                    L = bend[low, k]
                    if L <= 0:
                        continue
                    t = theta[low, k] * L - slope(low, k)
                    by = np.sign(t) * max(abs(t) - l1[low], 0.0) / L - theta[low, k]
                    if by:
                        move(low, k, by)
                        worst = max(worst, L * by * by)
                continue
            L = float(bend[low:high].sum())
            for _ in range(3):
                t = np.array([[theta[j, k] * L - slope(j, k) for k in range(K)] for j in range(low, high)])
                norm = float(np.linalg.norm(t))
                keep = (1.0 - strength / norm) / L if norm > strength and L > 0 else 0.0
                step = keep * t - theta[low:high]
                for j in range(low, high):
                    for k in range(K):
                        if step[j - low, k]:
                            move(j, k, step[j - low, k])
                worst = max(worst, L * float(np.max(step * step, initial=0.0)))
        if worst <= tol:
            return sweep + 1
    return sweeps
