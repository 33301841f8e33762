"""Whether compiled code runs in place of numpy, and how it is called."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from gradwright.core.warn import warn_once
from gradwright.native import build

WORTH_COMPILING = 250_000
"""Multiplications of one pass from which a kernel pays; smaller problems run in numpy at once."""
WORTH_THREADS = 500_000
"""From this many products on, a pass is shared out to threads."""

C_NAMES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
_mode: list[str] = ["auto"]


@contextlib.contextmanager
def using(mode: str) -> Iterator[None]:
    """Choose ``auto``, ``plain`` (numpy only) or ``compiled`` (always) for the fits inside the ``with``."""
    if mode not in ("auto", "plain", "compiled"):
        raise ValueError(f"mode is auto, plain or compiled, not {mode!r}")
    _mode.append(mode)
    try:
        yield
    finally:
        _mode.pop()


def chosen() -> str:
    """What ``using`` chose last."""
    return _mode[-1]


def load(text: str) -> Any:
    """The library of a program, or None, with one warning that says why, where it cannot be compiled."""
    try:
        return build.load(text)
    except build.NoCompiler as why:
        warn_once(str(why))
        return None


def address(array: ndarray | None) -> ctypes.c_void_p:
    """Where an array begins, as C takes it; none is null."""
    return ctypes.c_void_p(0 if array is None else array.ctypes.data)


def threads(work: float) -> int:
    """For small passes one: a team that waits for its next turn takes the cores from numpy's products in between."""
    return torch.get_num_threads() if work >= WORTH_THREADS else 1
