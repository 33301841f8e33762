"""What a user names on the command line as ``module:name`` or ``file.py:name``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gradwright  # noqa: F401 (enters the recipes)
from gradwright.core.spelling import nearest
from gradwright.optimizer.recipe import Recipe, registry
from gradwright.recipe.registry import spec_named


def module_of(where: str) -> ModuleType:
    """A module by its dotted name, seen from the present folder, or by the path of its file.

    Raises:
        ValueError: it is not there, or fails while it is imported.
    """
    if where.endswith(".py"):
        return _from_file(Path(where))
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(where)
    except ImportError as missing:
        raise ValueError(f"{where!r} cannot be imported from {os.getcwd()}: {missing}") from missing
    finally:
        sys.path.remove(os.getcwd())


def load(where: str, what: str = "a function that makes the model") -> Any:
    """The function that ``module:name`` or ``file.py:name`` stands for.

    Args:
        where: the text.
        what: is wanted, for the error.

    Raises:
        ValueError: nothing of that name is there, or it cannot be called; says which.
    """
    place, colon, name = where.rpartition(":")
    if not colon or not place or not name:
        raise ValueError(f"{where!r} names no function: write file.py:function or module:function")
    module = module_of(place)
    if not hasattr(module, name):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"{place} has no {name!r}; {nearest(name, functions, 'it has ' + ', '.join(functions[:8]))}")
    found = getattr(module, name)
    if not callable(found):
        raise ValueError(f"{where} is a {type(found).__name__}: name {what}")
    return found


def recipe_named(where: str) -> Any:
    """The recipe that a name, ``module:Class`` or ``file.py:Class`` stands for.

    Raises:
        ValueError: there is no such module, or nothing of that name in it, or it is no recipe.
    """
    place, colon, name = where.rpartition(":")
    if not colon:
        return registry[spec_named(where).name]
    module = module_of(place)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Recipe)):
        others = (key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Recipe))
        known = ", ".join(others) or "none"
        raise ValueError(f"{place} has no recipe {name!r}; it has {known}. @gradwright.recipe makes one")
    return found


def contenders_named(names: str) -> list[Any]:
    """What stands between the commas of ``--optimizers``: names as they are, and your own recipes and functions.

    ``module:Class`` and ``file.py:Class`` are recipes, ``module:function`` is called with the model and returns its
    optimizer; ``torch:NAME`` is one of torch.optim.

    Raises:
        ValueError: something is not there, or is neither.
    """
    what = "a recipe, or a function from the model to its optimizer"
    parts = [part.strip() for part in names.split(",") if part.strip()]
    return [load(part, what) if ":" in part and not part.startswith("torch:") else part for part in parts]


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "the name ends in .py"
    assert spec.loader is not None, "and so there is a loader"
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError) as broken:
        raise ValueError(f"{str(path)!r} cannot be imported: {broken}") from broken
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module
