"""Functions that keep their digits where the plain formula loses them."""

from __future__ import annotations

import numpy as np
from numpy import ndarray


def sigmoid(z: ndarray) -> tuple[ndarray, ndarray]:
    """σ(z) and σ(−z), each to full relative precision."""
    e = np.exp(-np.abs(z))
    q = 1.0 / (1.0 + e)
    return np.where(z >= 0, q, e * q), np.where(z >= 0, e * q, q)


def xlogx(x: ndarray) -> ndarray:
    """x log x, with 0 at 0 and infinity below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, x * np.log(x), np.where(x == 0, 0.0, np.inf))
