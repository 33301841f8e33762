"""Gradwright: optimizers as short recipes of interchangeable, proven parts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gradwright import recipes as _recipes
from gradwright.core.roles import nearest
from gradwright.optimizer.optimizer import Optimizer
from gradwright.optimizer.recipe import Recipe, recipe
from gradwright.optimizer.to_torch import to_torch
from gradwright.recipes import *  # noqa: F403
from gradwright.routing import Plan, build, find_roles, plan, route, suggest
from gradwright.training import qk_clip

if TYPE_CHECKING:
    from gradwright import calibration as calibration
    from gradwright import contract as contract
    from gradwright import core as core
    from gradwright import describe as describe
    from gradwright import diffusion as diffusion
    from gradwright import engine as engine
    from gradwright import integrations as integrations
    from gradwright import linear_model as linear_model
    from gradwright import losses as losses
    from gradwright import native as native
    from gradwright import observe as observe
    from gradwright import optimizer as optimizer
    from gradwright import presets as presets
    from gradwright import recipes as recipes
    from gradwright import routing as routing
    from gradwright import schedules as schedules
    from gradwright import sharpness as sharpness
    from gradwright import solvers as solvers
    from gradwright import study as study
    from gradwright import training as training
    from gradwright import transforms as transforms

__version__ = "0.1.0"

_ROOMS = frozenset(
    {
        "calibration",
        "contract",
        "core",
        "describe",
        "diffusion",
        "engine",
        "integrations",
        "linear_model",
        "losses",
        "native",
        "observe",
        "optimizer",
        "presets",
        "recipes",
        "routing",
        "schedules",
        "sharpness",
        "solvers",
        "study",
        "training",
        "transforms",
    }
)
"""Packages that are imported when they are first asked for, so that optimizers alone are there at once."""

__all__ = [
    "Optimizer",
    "Plan",
    "Recipe",
    "build",
    "find_roles",
    "plan",
    "qk_clip",
    "recipe",
    "route",
    "suggest",
    "to_torch",
]
__all__ += _recipes.__all__


if not TYPE_CHECKING:  # type checkers know all names by now, and shall find those that are none

    def __getattr__(name: str) -> Any:
        if name in _ROOMS:
            return importlib.import_module(f"{__name__}.{name}")
        hint = nearest(name, (*__all__, *_ROOMS), "dir(gradwright) lists what there is")
        raise AttributeError(f"gradwright has no {name!r}; {hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
