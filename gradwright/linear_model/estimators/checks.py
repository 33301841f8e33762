"""Checks of parameters that several estimators have."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import Data


def groups_of(groups: Sequence[Sequence[int]] | None, d: int) -> list[ndarray]:
    """Groups as arrays of column numbers.

    Raises:
        ValueError: an empty group, a number that is no column, or one that comes twice.
    """
    words = f"groups must name each of the columns 0 to {d - 1} at most once, by number, not {groups!r}"
    try:
        given = [np.asarray(list(group)) for group in (groups or ())]
    except TypeError:
        raise ValueError(words) from None
    if any(len(group) == 0 or group.dtype.kind not in "iu" for group in given):
        raise ValueError(words)
    every = np.concatenate(given) if given else np.zeros(0, np.intp)
    if len(every) != len(set(every.tolist())) or np.any(every < 0) or np.any(every >= d):
        raise ValueError(words)
    return [group.astype(np.intp) for group in given]


def check_number(
    name: str, value: Any, *, above: float = -np.inf, least: float = -np.inf, infinite: bool = False
) -> None:
    """Refuse what is not a number, or not in a range.

    Raises:
        ValueError: with the name, the range and the value given.
    """
    number = float(value) if isinstance(value, Real) else float("nan")
    if not (number > above and number >= least and (infinite or np.isfinite(number))):
        range_ = f"above {above:g}" if above > -np.inf else f"at least {least:g}"
        end = " (infinity for no penalty)" if infinite else " and finite"
        raise ValueError(f"{name} must be {range_}{end}, not {value!r}")


def normalised(weights: ndarray | None, data: Data) -> tuple[ndarray | None, float]:
    """Weights that sum to 1 over all processes (None if equal), and what they summed to.

    Raises:
        ValueError: none is above zero.
    """
    total = float(data.sum(np.array([data.n if weights is None else weights.sum()]))[0])
    if not total > 0:
        raise ValueError("sample_weight and class_weight leave every row with weight 0; give some row a weight above 0")
    return (None if weights is None else weights / total), total
