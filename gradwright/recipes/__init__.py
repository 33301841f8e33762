"""Named optimizers, a family a file, and the combinators that make new ones of them.

A recipe or a combinator is public as soon as a file of this folder defines it: its name stands there and nowhere else.
"""

from __future__ import annotations

import importlib
import pkgutil

from gradwright.optimizer.recipe import RecipeType
from gradwright.recipes.combinator import Combinator


def _defined() -> dict[str, RecipeType | Combinator]:
    """Every recipe and combinator that a file of this folder defines, by name."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, (RecipeType, Combinator)) and value.__module__ == module.__name__
    }


_found = _defined()
globals().update(_found)
__all__ = sorted(_found, key=lambda name: (not name.isupper(), name))
