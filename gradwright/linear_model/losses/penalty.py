"""Penalties: one strength and a ratio, spread over columns and groups."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy import ndarray


def split(strength: float, l1_ratio: float, factors: ndarray, groups: list[ndarray]) -> dict[str, Any]:
    """L1, L2 and group strengths of ``Problem``.

    Args:
        strength: of the whole penalty, at least 0.
        l1_ratio: part of it that has kinks, in [0, 1].
        factors: of each column, shape (d,).
        groups: column numbers; their nonsmooth part is √|g| ‖W_g‖ times the mean factor of the group.
    """
    if not (isinstance(l1_ratio, Real) and 0 <= l1_ratio <= 1):
        raise ValueError(f"l1_ratio must be between 0 and 1, not {l1_ratio!r}")
    if groups and l1_ratio == 0:
        raise ValueError("groups have no effect with l1_ratio=0; set l1_ratio above 0 or leave groups out")
    l1 = strength * l1_ratio * factors
    group = [strength * l1_ratio * float(np.sqrt(len(g)) * factors[g].mean()) for g in groups]
    for g in groups:
        l1[g] = 0.0
    return {"l1": l1, "l2": strength * (1.0 - l1_ratio) * factors, "groups": groups, "group": group}
