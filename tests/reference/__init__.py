"""A second implementation of every method: float64 numpy, written from the equations, sharing nothing with the library.

Each method is called ``method(state, p, g, **knobs)`` and returns the new parameter. ``state`` is a dictionary that
starts empty and is updated; hyper-parameters have no defaults, so that a forgotten one is an error.
"""

from tests.reference.adafactor import adafactor
from tests.reference.adam import adabelief, adam, adamw, nadam, nadamw
from tests.reference.cautious import cautious_adamw, cautious_lion, cautious_muon, cautious_sgd
from tests.reference.lamb import lamb
from tests.reference.lookahead import lookahead
from tests.reference.loss_driven import adalo
from tests.reference.muon import muon, newton_schulz
from tests.reference.schedule_free import schedule_free_adamw
from tests.reference.sgd import sgd
from tests.reference.sign import lion, tiger

__all__ = [
    "adabelief",
    "adafactor",
    "adalo",
    "adam",
    "adamw",
    "cautious_adamw",
    "cautious_lion",
    "cautious_muon",
    "cautious_sgd",
    "lamb",
    "lion",
    "lookahead",
    "muon",
    "nadam",
    "nadamw",
    "newton_schulz",
    "schedule_free_adamw",
    "sgd",
    "tiger",
]
