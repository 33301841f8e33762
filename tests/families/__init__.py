"""One file for each family of recipes: the rows that its recipes and parts have in the tables of the tests.

A family's file may define

- ``CONTRACT``: a tuple of :class:`~tests.families.kinds.Contract`, for every recipe and form (``tests/contract``);
- ``PARITY``: a tuple of :class:`~tests.families.kinds.Parity`, compared with the numpy references (``tests/parity``);
- ``WORKED``: a tuple of :class:`~tests.families.kinds.Worked`, published numbers that must come out (``tests/parity``);
- ``PUBLISHED``: the published defaults of each recipe (``tests/parity``);
- ``GOLDEN``: a dictionary of named :class:`~tests.families.kinds.Variant` (``tests/golden``);
- ``PARTS``: a tuple of :class:`~tests.families.kinds.Case`, one update of a part by hand (``tests/properties``);
- ``STAGES``: ``{stage: {names of parts}}`` of the parts that do not make the direction (``tests/properties``);
- ``DEFAULTS``: a tuple of pairs, a part with its defaults left out and written out (``tests/properties``).
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any


def families() -> dict[str, ModuleType]:
    """Every family's module, by its name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name not in ("kinds", "worked"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def rows(table: str) -> tuple[Any, ...]:
    """The rows of one table, of all families together."""
    return tuple(row for module in families().values() for row in getattr(module, table, ()))


def entries(table: str) -> dict[Any, Any]:
    """The entries of one dictionary, of all families together."""
    found: dict[Any, Any] = {}
    for name, module in families().items():
        own = getattr(module, table, {})
        assert not (found.keys() & own.keys()), f"{table} of {name} repeats {found.keys() & own.keys()}"
        found |= own
    return found
