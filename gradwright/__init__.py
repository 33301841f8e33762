"""Gradwright: optimizers as short recipes of interchangeable, proven parts."""

from gradwright.optimizer import Optimizer
from gradwright.recipe import Recipe, recipe
from gradwright.recipes import (
    SGD,
    AdaBelief,
    Adafactor,
    AdaLo,
    Adam,
    AdamW,
    Lamb,
    Lion,
    Muon,
    NAdam,
    NAdamW,
    ScheduleFreeAdamW,
    Tiger,
    cautious,
    lookahead,
)
from gradwright.routing import Plan, build, find_roles, plan, route

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "AdaBelief",
    "AdaLo",
    "Adafactor",
    "Adam",
    "AdamW",
    "Lamb",
    "Lion",
    "Muon",
    "NAdam",
    "NAdamW",
    "Optimizer",
    "Plan",
    "Recipe",
    "ScheduleFreeAdamW",
    "Tiger",
    "build",
    "cautious",
    "find_roles",
    "lookahead",
    "plan",
    "recipe",
    "route",
]
