"""Numbers as users give them: what counts as one, and what is refused with its name."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy
import torch

LARGEST = torch.finfo(torch.float32).max
"""The largest hyper-parameter: steps compute in single precision, in which anything beyond is infinite."""

WHOLE = 2**31
"""The first whole number that is too large where a part declares no other bound."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


def shown(value: Any) -> str:
    """A value for an error message, cut where it is long.

    >>> shown(10**400)
    '100000000000000000000000000...0000000000000000000000000000'
    """
    try:
        return _short.repr(value)
    except Exception:  # a repr that fails must not hide the error that quotes it
        return f"a {type(value).__name__}"


def as_float(label: str, value: Any) -> float:
    """One finite number, from a Python or NumPy number or a tensor of one entry on the CPU.

    Args:
        label: what it is called in an error.
        value: what was given.

    Raises:
        TypeError: it is no real number: a bool, a string, a complex number, an array, a decimal or a fraction.
        ValueError: it is not finite, or beyond single precision, or a tensor that is not one number on the host.

    >>> as_float("lr", 1)
    1.0
    """
    if type(value) is float and -LARGEST <= value <= LARGEST:
        return value
    if isinstance(value, torch.Tensor):
        value = _of_tensor(label, value)
    if isinstance(value, (bool, numpy.bool_)) or not isinstance(value, (int, float, numpy.integer, numpy.floating)):
        raise TypeError(f"{label}={shown(value)} is a {type(value).__name__}; give a number, as a float")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    if not math.isfinite(number) and isinstance(value, (float, numpy.floating)):
        raise ValueError(f"{label}={number} is not finite; give a finite number")
    if abs(number) > LARGEST:
        raise ValueError(f"{label}={shown(value)} is more than single precision holds; give less than {LARGEST:.2g}")
    return number


def as_whole(label: str, value: Any) -> int:
    """One whole number of Python's or NumPy's.

    Args:
        label: what it is called in an error.
        value: what was given.

    Raises:
        TypeError: it is none; ``True`` and 2.0 are none either.

    >>> as_whole("k", 5)
    5
    """
    if isinstance(value, (bool, numpy.bool_)) or not isinstance(value, (int, numpy.integer)):
        raise TypeError(f"{label}={shown(value)} is a {type(value).__name__}; give a whole number")
    return int(value)


def _of_tensor(label: str, value: torch.Tensor) -> float:
    if value.numel() != 1:
        raise ValueError(f"{label} is a tensor of shape {tuple(value.shape)}; give one number")
    if value.device.type != "cpu":
        raise ValueError(
            f"{label} is a tensor on {value.device}; reading it would stall the device at every step. "
            "Give a float or a CPU tensor: a schedule changes it freely and nothing recompiles"
        )
    if value.dtype == torch.bool or value.is_complex() or value.is_quantized or value.layout != torch.strided:
        raise TypeError(f"{label} is a tensor of {value.dtype}, {value.layout}; give a real number")
    return float(value.detach())
