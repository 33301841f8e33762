"""The distribution function of the Beta distribution, which torch does not have."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_RAISED = 2
"""By how much both parameters are raised before the density is summed, so that it is smooth at both ends."""


def beta_cdf(x: Tensor, a: Tensor, b: Tensor, points: int = 2048) -> Tensor:
    """I_x(a, b) for any a, b > 0, to 2e-9.

    By parts, I_x(a, b) = I_x(a + 1, b) + x^a (1 − x)^b / (a B(a, b)), and alike for b with the other sign: the density
    of small parameters, which has poles, is brought to one that vanishes at both ends. Under x = sin²(θ) that one is
    summed by the trapezoid rule with its correction of the ends of each interval, over the part in which it lies.

    Args:
        x: float64; clamped to [0, 1].
        a, b: > 0, of no dimension, float64.
        points: intervals of θ.
    """
    x = x.clamp(0.0, 1.0)
    log_x, log_rest = x.log(), torch.log1p(-x)
    apart = torch.zeros_like(x)
    for _ in range(_RAISED):
        apart = apart + _edge(log_x, log_rest, a, b)
        a = a + 1
    for _ in range(_RAISED):
        apart = apart - _edge(log_rest, log_x, b, a)
        b = b + 1
    return (apart + _summed(x, a, b, points)).clamp(0.0, 1.0)


def _edge(log_x: Tensor, log_rest: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """x^a (1 − x)^b / (a B(a, b))."""
    scale = torch.lgamma(a + b) - torch.lgamma(a + 1) - torch.lgamma(b)
    return (scale + a * log_x + b * log_rest).exp()


def _summed(x: Tensor, a: Tensor, b: Tensor, points: int) -> Tensor:
    """I_x(a, b) for a, b ≥ 2."""
    # in θ the density is sin^(2a − 1) cos^(2b − 1), narrower than a normal one of deviation 1 / √(2 (a + b − 1))
    peak, reach = torch.atan2((2 * a - 1).sqrt(), (2 * b - 1).sqrt()), 8 * (a + b - 1).rsqrt()
    low, high = (peak - reach).clamp(min=0.0), (peak + reach).clamp(max=math.pi / 2)
    step = (high - low) / points
    theta = low + step * torch.arange(points + 1, dtype=x.dtype, device=x.device)
    s, c = theta.sin(), theta.cos().clamp(min=0.0)
    log_density = torch.special.xlogy(2 * a - 2, s) + torch.special.xlogy(2 * b - 2, c)
    rest = (log_density - log_density.max()).exp()  # less one sine and one cosine, which the derivative divides by
    density = rest * s * c
    slope = rest * ((2 * a - 1) * c**2 - (2 * b - 1) * s**2)
    pieces = step * (density[1:] + density[:-1]) / 2 - step**2 * (slope[1:] - slope[:-1]) / 12
    mass = torch.cat([density.new_zeros(1), pieces.cumsum(0)])
    # between two points: the cubic that has the sums and the densities at both
    place = ((torch.asin(x.sqrt()) - low) / step).clamp(0.0, float(points))
    left = place.floor().clamp(max=points - 1.0).long()
    t = place - left
    rise, start, end = mass[left + 1] - mass[left], step * density[left], step * density[left + 1]
    cubic = t * (start + t * (3 * rise - 2 * start - end + t * (start + end - 2 * rise)))
    return (mass[left] + cubic) / mass[-1]
