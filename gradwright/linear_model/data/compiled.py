"""Whether compiled code runs in place of numpy, and how it is called."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from gradwright.core.warn import warn_once
from gradwright.native import build

WORTH_COMPILING = 250_000
"""Multiplications of one pass from which a kernel pays; smaller problems run in numpy at once."""
SMALL = 20_000_000
"""Multiplications of one pass up to which numpy makes do while a kernel compiles: a few hundredths of a second."""
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


_settled: dict[str, Any] = {}
"""The libraries of programs; None for those that cannot be compiled."""
_coming: dict[str, Future[Any]] = {}
"""Those that are being compiled."""
_fit: ContextVar[dict[str, Any] | None] = ContextVar("_fit", default=None)


@lru_cache(maxsize=1)
def _compiler() -> ThreadPoolExecutor:
    # one kernel after another leaves the other cores to the fit; the interpreter waits for the last one at its end
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="gradwright-compiler")


def _forget() -> None:
    # in a forked child the compiling thread is gone
    _coming.clear()
    _compiler.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def one_fit() -> Iterator[None]:
    """Inside, a program that is not there yet stays so: a fit runs all its passes of one kind in one way."""
    token = _fit.set({}) if _fit.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _fit.reset(token)


def load(text: str, work: float = float("inf")) -> Any:
    """The library of a program, or None: it cannot be compiled, which one warning says, or is not compiled yet.

    A pass of little ``work`` does not wait for a compiler: the program is compiled beside it, for later fits.
    """
    seen = _fit.get()
    if seen is not None and text in seen:
        return seen[text]
    found = _now(text, work)
    if seen is not None:
        seen[text] = found
    return found


def _now(text: str, work: float) -> Any:
    if text in _settled:
        return _settled[text]
    try:
        patient = chosen() == "compiled" or work > SMALL
        if text not in _coming and not patient and not build.at_hand(text):
            _coming[text] = _compiler().submit(build.load, text)
        if text in _coming:
            if not patient and not _coming[text].done():
                return None
            _settled[text] = _coming.pop(text).result()
        else:
            _settled[text] = build.load(text)
    except build.NoCompiler as why:
        _coming.pop(text, None)
        _settled[text] = None
        warn_once(str(why))
    return _settled[text]


def address(array: ndarray | None) -> ctypes.c_void_p:
    """Where an array begins, as C takes it; none is null."""
    return ctypes.c_void_p(0 if array is None else array.ctypes.data)


def threads(work: float) -> int:
    """For small passes one: a team that waits for its next turn takes the cores from numpy's products in between."""
    return torch.get_num_threads() if work >= WORTH_THREADS else 1
