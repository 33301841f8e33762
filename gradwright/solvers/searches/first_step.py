"""How far to go at first along −g, where nothing is known about the curvature."""

from __future__ import annotations

from torch import Tensor

from gradwright.solvers.linear.vectors import norm

REACH = 0.01
"""The first step along −g has this part of max(1, ‖x‖) as its length."""


def first_length(x: Tensor) -> float:
    """A hundredth of ‖x‖, or 0.01 where x is smaller than 1."""
    return REACH * max(1.0, norm(x))
