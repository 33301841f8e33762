"""Named optimizers, a family a file, and the combinators that make new ones of them."""

from gradwright.recipes.adafactor import Adafactor
from gradwright.recipes.adam import AdaBelief, Adam, AdamW, NAdam, NAdamW
from gradwright.recipes.combinators import cautious, lookahead
from gradwright.recipes.layerwise import Lamb
from gradwright.recipes.loss_driven import AdaLo
from gradwright.recipes.muon import Muon
from gradwright.recipes.schedule_free import ScheduleFreeAdamW
from gradwright.recipes.sgd import SGD
from gradwright.recipes.sign import Lion, Tiger

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
    "ScheduleFreeAdamW",
    "Tiger",
    "cautious",
    "lookahead",
]
