"""What a handful of seeds can and cannot tell apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95


class Summary(NamedTuple):
    """Mean and sample deviation (n - 1 in the denominator, nan for one value) of ``n`` values."""

    n: int
    mean: float
    deviation: float


class Gap(NamedTuple):
    """Mean of ``b`` minus mean of ``a``, its 95 % interval and two-sided p-value; nan where no noise shows."""

    difference: float
    low: float
    high: float
    p: float


def summarise(values: Sequence[float]) -> Summary:
    """Mean and sample deviation.

    >>> summarise([1.0, 2.0, 3.0])
    Summary(n=3, mean=2.0, deviation=1.0)
    """
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    return Summary(n, mean, float(np.std(values, ddof=1)) if n > 1 else math.nan)


def welch(a: Sequence[float], b: Sequence[float]) -> Gap:
    r"""Welch's interval for the difference of two means: the spreads may differ, the seeds are not paired.

    .. math:: t = \frac{\bar b - \bar a}{\sqrt{s_a^2/n_a + s_b^2/n_b}}, \qquad
        \nu = \frac{(s_a^2/n_a + s_b^2/n_b)^2}{(s_a^2/n_a)^2/(n_a-1) + (s_b^2/n_b)^2/(n_b-1)}

    Seeds are not paired because it buys nothing: with equal weights and batches, final losses of two optimizers are
    uncorrelated after a few hundred steps.
    """
    first, second = summarise(a), summarise(b)
    difference = second.mean - first.mean
    if first.n < 2 or second.n < 2:
        return Gap(difference, math.nan, math.nan, math.nan)
    u, v = first.deviation**2 / first.n, second.deviation**2 / second.n
    error = math.sqrt(u + v)
    if error == 0:
        return Gap(difference, difference, difference, 1.0 if difference == 0 else 0.0)
    freedom = (u + v) ** 2 / (u**2 / (first.n - 1) + v**2 / (second.n - 1))
    half = float(stdtrit(freedom, 0.5 + LEVEL / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(difference) / error))
    return Gap(difference, difference - half, difference + half, p)


def probability_of_improvement(a: Sequence[float], b: Sequence[float]) -> float:
    """The share of pairs in which ``a`` is lower than ``b``; ties count half.

    >>> probability_of_improvement([1.0, 2.0], [2.0, 3.0])
    0.875
    """
    return float(np.mean([(x < y) + 0.5 * (x == y) for x in a for y in b]))


def seeds_needed(a: Sequence[float], b: Sequence[float]) -> float:
    r"""Seeds per optimizer to see a gap of this size at this spread, four times in five at the 5 % level.

    .. math:: n \approx (1.96 + 0.84)^2 \, \frac{s_a^2 + s_b^2}{(\bar b - \bar a)^2}

    A normal approximation, at least 2; infinite where the means agree.
    """
    first, second = summarise(a), summarise(b)
    gap = second.mean - first.mean
    if gap == 0:
        return math.inf
    return max(2.0, math.ceil((1.96 + 0.84) ** 2 * (first.deviation**2 + second.deviation**2) / gap**2))
