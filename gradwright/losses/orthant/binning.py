"""Sums of ln Φ(dᵢ + tₖ) over many classes i, for all nodes k at the cost of one.

As a function of d, ln Φ(d + t) is so smooth that a cubic on each interval of width 0.1 meets it to 1e-8. The sum
over the classes then needs of each row only the sums of 1, v, v², v³ over the classes in an interval, v their place
in it. These are gathered once; the nodes are a matrix product with a constant table. The slope at each class is read
from the transposed product.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from gradwright.losses.batch.precision import full_precision

_LOW, _HIGH, _WIDTH, _TERMS = -10.0, 10.0, 0.1, 4


@torch.compiler.assume_constant_result
def table(nodes: tuple[float, ...]) -> Tensor:
    """What :func:`binned` needs to know of the nodes; made once."""
    return _table(nodes)


@functools.cache
def _table(nodes: tuple[float, ...]) -> Tensor:
    """``(terms, intervals, nodes)``, float32."""
    return polynomials(nodes, _LOW, _HIGH, round((_HIGH - _LOW) / _WIDTH), _TERMS).float()


def polynomials(nodes: tuple[float, ...], low: float, high: float, intervals: int, terms: int) -> Tensor:
    """Polynomials for d ↦ ln Φ(d + tₖ) on equal intervals from ``low`` to ``high``.

    They interpolate at Chebyshev's points, which comes within a few percent of the smallest largest error.

    Returns:
        The coefficients of vᵐ, v from −1 to 1 in interval j, for node k: ``(terms, intervals, nodes)``, float64.
    """
    width = (high - low) / intervals
    centre = low + width * (torch.arange(intervals, dtype=torch.float64) + 0.5)
    angles = torch.pi * (torch.arange(terms, dtype=torch.float64) + 0.5) / terms
    t = torch.tensor(nodes, dtype=torch.float64)
    values = torch.special.log_ndtr(angles.cos()[:, None, None] * (width / 2) + centre[:, None] + t)
    degrees = torch.arange(terms, dtype=torch.float64)
    series = torch.cos(degrees[:, None] * angles) * (2 / terms)  # values to a series of Chebyshev's polynomials
    series[0] /= 2
    powers = torch.zeros(terms, terms, dtype=torch.float64)
    for k, unit in enumerate(np.eye(terms)):
        powers[: k + 1, k] = torch.from_numpy(np.polynomial.chebyshev.cheb2poly(unit))
    return torch.tensordot(powers @ series, values, 1)


def binned(d: Tensor, log_w: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Σₖ wₖ exp(Σᵢ ln Φ(dᵢ + tₖ)) and its slope in d, where ``table`` is that of the nodes t.

    Classes above 10, each of which changes the result by less than 1e-12, are left out; those below −10, beside which
    it is less than 1e-12, are taken to be at −10.
    """
    counted = (d < _HIGH).to(d.dtype)
    place = (d.clamp(_LOW, _HIGH) - _LOW) / _WIDTH
    interval = place.long().clamp(0, table.shape[1] - 1)
    v = (2 * (place - interval) - 1) * counted
    empty = d.new_zeros((*d.shape[:-1], table.shape[1]))
    exponent, power = log_w, counted
    with full_precision(d):
        for coefficients in table:
            exponent = exponent + empty.scatter_add(-1, interval, power) @ coefficients
            power = power * v
        mass = exponent.exp()
        slope = torch.zeros_like(d)
        for degree in range(_TERMS - 1, 0, -1):
            slope = slope * v + degree * (mass @ table[degree].T).gather(-1, interval)
    return mass.sum(-1), slope * counted * (2 / _WIDTH)
