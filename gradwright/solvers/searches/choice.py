"""SEARCHES: what the names of searches stand for."""

from __future__ import annotations

from collections.abc import Callable

from gradwright.solvers.searches.backtracking import Backtracking
from gradwright.solvers.searches.base import Search
from gradwright.solvers.searches.hager_zhang import HagerZhang
from gradwright.solvers.searches.strong_wolfe import StrongWolfe

SEARCHES: dict[str, Callable[[], Search]] = {
    "backtracking": Backtracking,
    "strong-wolfe": StrongWolfe,
    "hager-zhang": HagerZhang,
}
"""Searches by name; the classes take their own settings."""


def search_of(given: str | Search) -> Search:
    """A search by name, or as it is.

    Raises:
        ValueError: an unknown name.
        TypeError: something else.

    >>> search_of("strong-wolfe")
    StrongWolfe(decrease=0.0001, curvature=0.9, expand=2.0, max_trials=60)
    """
    if isinstance(given, Search):
        return given
    if not isinstance(given, str):
        raise TypeError(f"search is a {type(given).__name__}; give a name ({', '.join(SEARCHES)}) or a Search")
    if given not in SEARCHES:
        raise ValueError(f"search={given!r} is unknown; known are {', '.join(SEARCHES)}, or give a Search")
    return SEARCHES[given]()
