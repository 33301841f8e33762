"""Rounding: how far computed predictions, slopes and gradients may be from exact ones, so that a bound can count it.

Every prediction may be off by ``prediction``: a sum of d products is off by about √d ulps of the sum of their sizes. A
slope is off by what that makes of it, h times it, and by ``part`` of itself; a sum over rows by ``part`` of the sum of
the sizes of its terms. Sizes are bounded by ‖x̃ᵢ‖ ≤ √extent, so that nothing here costs a pass over X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import blocks
from gradwright.linear_model.objective import Objective

ULP = float(np.finfo(np.float64).eps)
SAFE = 4.0
"""How many times the usual size of an error of rounding, the root of the number of operations, is counted."""


def of_sum(terms: float) -> float:
    """The relative error of a sum of so many terms; where there are few, of the worst one."""
    return ULP * min(terms + 4.0, SAFE * float(np.sqrt(terms)) + 8.0)


def of_rows(objective: Objective) -> float:
    """The relative error of a sum over rows, which are added by 64 in a row and then blocks onto each other."""
    return ULP * (SAFE * float(np.sqrt(64.0 + objective.design.rows / 64.0)) + 8.0)


@dataclass(frozen=True)
class Rounding:
    """What rounding may have done to predictions and to the gradient at θ.

    Attributes:
        prediction: how far each prediction may be from the exact one.
        part: relative error of slopes and of sums over rows.
        slopes: at least Σ sᵢ |ℓ'ᵢ|, in all predictions of a row.
        bend: at least Σ sᵢ ℓ''ᵢ.
        value: F may be off by this.
    """

    prediction: float
    part: float
    slopes: float
    bend: float
    value: float

    @classmethod
    def at(cls, objective: Objective, theta: ndarray, value: float) -> Rounding:
        """That of the predictions Z of θ, where F is ``value``."""
        with np.errstate(over="ignore", invalid="ignore"):
            off = of_predictions(objective, theta)
            slopes, bend = sums(objective)
            part = of_rows(objective)
            bent = bend * (1.0 + off) if off < 1.0 else np.inf
            wrong = part * (abs(value) + 0.5 * float(np.sum(objective.ridge * theta * theta))) + off * (
                slopes + bent * off
            )
            return cls(off, part, slopes, bent, wrong)

    def along(self, objective: Objective, theta: ndarray, inverse: ndarray, row: float | None = None) -> float:
        """At least ‖error of the gradient‖ in the norm of M⁻¹, for a matrix M at most the Hessian.

        Args:
            objective: F.
            theta: where the gradient was computed.
            inverse: the diagonal of M⁻¹ for each entry of θ, shape (p, 1) or (p, K).
            row: at least the norm of a row x̃ in which every sign is free, where more is known than its length.
        """
        design, d = objective.design, objective.data.d
        with np.errstate(over="ignore", invalid="ignore"):
            widths = np.sqrt(inverse)
            shifted = np.abs(design.shift) / design.scale
            if row is None:
                row = float(np.sqrt(design.extent() * np.sum(inverse.max(1))))
            row += float(shifted @ widths[:d].max(1))
            rows = self.part * self.slopes * row
            penalty = 2.0 * ULP * float(np.sum(np.abs(objective.ridge * theta) * widths))
            # a slope that is off by h times a prediction's error lies in the range of the rows, as the Hessian does
            range_ = self.prediction * float(np.sqrt(self.bend)) if objective.loss.shape != "pieces" else np.inf
            found = rows + penalty + min(self.prediction * self.bend * row, range_)
        return found if np.isfinite(found) else float("inf")


def of_predictions(objective: Objective, theta: ndarray) -> float:
    """How far each prediction at θ may be from the exact one, and a slope from that at its prediction."""
    design, loss, data = objective.design, objective.loss, objective.data
    W, b = design.weights(theta)
    with np.errstate(over="ignore", invalid="ignore"):
        longest = float(np.sqrt(design.extent()))
        top = theta[: data.d]
        sizes = longest * np.sqrt(np.sum(top * top, 0)) + 2.0 * np.abs(design.shift) @ np.abs(W) + np.abs(b)
        ends = 0.0 if objective.offset is None else float(np.abs(objective.offset).max(initial=0.0))
        if not loss.pure:
            ends += float(np.abs(objective.y).max(initial=0.0))
        # a sum over processes is at least the largest of them
        ends = float(data.sum(np.array([ends]))[0])
        return of_sum(data.d) * float(sizes.max(initial=0.0)) + 4.0 * ULP * (float(loss.pure) + ends)


def sums(objective: Objective) -> tuple[float, float]:
    """At least Σ sᵢ |ℓ'ᵢ| and Σ sᵢ ℓ''ᵢ at the predictions Z."""
    loss, data = objective.loss, objective.data
    if np.isfinite(loss.steepest):
        return loss.steepest, loss.largest
    steep = bend = 0.0
    terms = objective.terms
    with np.errstate(over="ignore", invalid="ignore"):
        for at in blocks(data.n, 16384):
            own = terms.at(at)
            slope, curve = loss.slopes(objective.Z[at].astype(np.float64)[:, 0], own.y, own.u)
            weight = own.weights()
            steep += float(np.sum(np.where(weight > 0, weight * np.abs(slope), 0.0)))
            curve = np.full(curve.shape, loss.largest) if loss.shape == "pieces" else curve
            bend += float(np.sum(np.where(weight > 0, weight * curve, 0.0)))
    packed = data.sum(np.array([steep, bend])) * objective.unit
    return float(packed[0]), float(packed[1])
