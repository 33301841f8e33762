"""Columns that limit a fit by themselves: constant, collinear, of unlike spreads, or giving the answer away."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.diagnosis.findings import Diagnosis


def find_leaks(out: Diagnosis, X: ndarray, y: ndarray, names: list[str]) -> None:
    """Single columns by which all classes can be told apart."""
    classes = np.unique(y)
    low = np.array([X[y == c].min(0) for c in classes])
    high = np.array([X[y == c].max(0) for c in classes])
    order = np.argsort(low, axis=0, kind="stable")
    low, high = np.take_along_axis(low, order, 0), np.take_along_axis(high, order, 0)
    alone = np.all(high[:-1] < low[1:], axis=0)
    if alone.any() and len(classes) > 1:
        out.add(
            "separated",
            f"{listed(names, alone)} alone {'tells' if alone.sum() == 1 else 'tell'} the classes apart without error; "
            "check that it does not give the answer away.",
        )


def look_at_columns(out: Diagnosis, X: ndarray, names: list[str], intercept: bool) -> None:
    """Columns without spread, of very unlike ones, of few digits in float32, and sets that are collinear."""
    values = X.astype(np.float64)
    peak = np.abs(values).max(0, initial=0.0)
    values /= np.where(peak > 0, peak, 1.0)
    mean, spread = values.mean(0), values.std(0)
    live = spread > 1e-9 * np.maximum(np.abs(mean), 1e-300)
    if not live.all():
        out.add(
            "constant",
            f"{listed(names, ~live)} never {'changes and carries' if (~live).sum() == 1 else 'change and carry'} no "
            "information; drop what is constant.",
        )
    scale = spread * peak
    if live.sum() > 1 and scale[live].max() > 1e4 * scale[live].min():
        low, high = np.argmin(np.where(live, scale, np.inf)), np.argmax(np.where(live, scale, 0))
        out.add(
            "scaling",
            f"Columns have very different spreads, from {scale[low]:.2g} ({names[low]}) to {scale[high]:.2g} "
            f"({names[high]}). The solver is not hurt by that, but one penalty cannot fit both: scale the columns, or "
            "set penalty_factors.",
        )
    digits = live & (np.abs(mean) > 1e4 * np.maximum(spread, 1e-300))
    if X.dtype == np.float32 and digits.any():
        out.add(
            "precision",
            f"{listed(names, digits)}: far from zero compared with the spread, so that float32 holds few digits of "
            "what differs between rows; subtract a constant before storing, or store float64.",
        )
    if not 1 < live.sum() <= 2000 or len(X) < 3:
        return
    if len(X) <= live.sum():
        out.add(
            "collinear",
            f"There are no more rows ({len(X)}) than columns ({int(live.sum())}), so that columns are collinear: "
            "without a penalty many coefficients fit equally well.",
        )
        return
    place = np.flatnonzero(live)
    z = values[:, place] - (mean[place] if intercept else 0.0)
    z /= np.sqrt(np.square(z).mean(0))
    for circuit in dependent(z.T @ z / len(z))[:5]:
        members = np.isin(np.arange(len(names)), place[circuit])
        reason = "each is a multiple of the other" if len(circuit) == 2 else "each can be computed from the others"
        out.add(
            "collinear",
            f"{listed(names, members)} are collinear: {reason}{', up to a constant' * intercept}, so that single "
            "coefficients mean little without a penalty.",
        )


def dependent(C: ndarray) -> list[ndarray]:
    """Minimal sets of columns of which one is a combination of the rest, from their correlations C (d, d).

    One set for each column beyond the rank, which pivoted QR writes in the columns it chose.
    """
    R, pivots = linalg.qr(C, mode="r", pivoting=True)
    size = np.abs(np.diag(R))
    rank = int(np.sum(size > 1e-9 * size.max(initial=0.0)))
    parts = linalg.solve_triangular(R[:rank, :rank], R[:rank, rank:])
    return [
        np.sort(np.append(pivots[:rank][np.abs(part) > 1e-4], extra)) for part, extra in zip(parts.T, pivots[rank:])
    ]


def listed(names: list[str], mask: ndarray) -> str:
    """Names of the columns in a mask, at most eight."""
    chosen = [names[j] for j in np.flatnonzero(mask)]
    return ", ".join(chosen[:8]) + (f" and {len(chosen) - 8} more" if len(chosen) > 8 else "")
