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
    "Recipe",
    "ScheduleFreeAdamW",
    "Tiger",
    "cautious",
    "lookahead",
    "recipe",
]
