"""Line search of a convex function on cached predictions, by its slopes, which keep their digits near an optimum."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.objective import Objective

ENOUGH = 0.8
"""The whole step is taken if it leaves at most this part of the slope."""

CLOSE = 0.25
"""A searched step leaves at most this part of the slope."""


def take(objective: Objective, theta: ndarray, value: float, d: ndarray, slope: float):
    """Move from θ along d; ``slope`` is the derivative there, below zero.

    The whole step costs one pass over X. If it is not good, its predictions and those of θ give every other point of
    the line, and one more pass evaluates the chosen one.

    Returns:
        the step, the new θ, F and gradient; step 0 if none lowers F.
    """
    step = 1.0
    for _ in range(40):
        new = theta + step * d
        F, g = objective.evaluate(new)
        if np.isfinite(F) and np.all(np.isfinite(g)) and np.all(np.isfinite(objective.Z)):
            break
        # beyond the range of the exponential: go back to where predictions are finite
        objective.evaluate(theta)
        step *= 0.1
    else:
        return 0.0, theta, value, None
    rise = float(np.sum(g * d))
    noise = 64 * np.finfo(objective.compute).eps * abs(value)
    if abs(rise) <= ENOUGH * abs(slope) and value + noise >= F:
        return step, new, F, g
    if rise <= 0 and step < 1.0:
        return step, new, F, g
    chosen = _root(objective, new, d, step, slope, rise)
    if chosen <= 0:
        objective.evaluate(theta)
        return 0.0, theta, value, None
    new = theta + chosen * d
    F, g = objective.evaluate(new)
    if not np.isfinite(F) or value + noise < F:
        objective.evaluate(theta)
        return 0.0, theta, value, None
    return chosen, new, F, g


def _root(objective: Objective, new: ndarray, d: ndarray, step: float, slope: float, rise: float) -> float:
    """Where the slope along d is small; Z belongs to ``new`` = θ + step d, D to step d."""
    objective_slope = lambda a: objective.along(a / step - 1.0, new, step * d)  # noqa: E731
    low, low_slope, high, high_slope = 0.0, slope, step, rise
    if rise < 0:
        for _ in range(60):
            low, low_slope = high, high_slope
            high *= 4.0
            _, at, _ = objective_slope(high)
            high_slope = at / step
            if not np.isfinite(high_slope):
                return low
            if abs(high_slope) <= CLOSE * abs(slope):
                return high
            if high_slope > 0:
                break
        else:
            return high
    guess = low + (high - low) * (-low_slope) / (high_slope - low_slope) if np.isfinite(high_slope) else 0.5 * high
    for _ in range(60):
        if not low < guess < high:
            guess = 0.5 * (low + high)
        _, at, curve = objective_slope(guess)
        at, curve = at / step, curve / step / step
        if abs(at) <= CLOSE * abs(slope):
            return guess
        if at < 0:
            low = guess
        else:
            high = guess
        if high - low <= 1e-14 * high:
            break
        guess = guess - at / curve if curve > 0 and np.isfinite(at) else 0.5 * (low + high)
    return low
