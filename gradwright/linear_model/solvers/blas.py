"""Threads of the linear algebra library within a fit: one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

LARGE = 10_000_000
"""From this many products in a pass on, numpy's threads help where numpy makes the passes."""


def one_thread() -> AbstractContextManager[object]:
    """Keep matrix products to one thread of the linear algebra library.

    Its team and that of the compiled passes wait for work in loops that take the cores from each other: on two cores a
    fit took two to four times as long with both. The products in between are small.
    """
    return _controller().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # it looks through all loaded libraries, a millisecond or two
    return ThreadpoolController()
