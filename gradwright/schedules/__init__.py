"""Schedules: pure functions from the number of a step to what the learning rate is multiplied by.

``t`` counts from 0 and is the step about to be made, as in torch's ``LambdaLR``. A schedule holds its settings and no
state: it can be pickled, compared, called in any order and asked for the whole curve.

    >>> schedule = Warmup(100).then(Cosine(900, final=0.01))
    >>> [round(schedule(t), 4) for t in (0, 99, 100, 550, 1000)]
    [0.01, 1.0, 1.0, 0.505, 0.01]

Give it to an optimizer by :func:`lr_scheduler`, or multiply by it yourself.
"""

from gradwright.schedules.amos import AmosDecay, AmosSettings, amos_settings
from gradwright.schedules.base import Constant, Product, Schedule, Then
from gradwright.schedules.scheduler import lr_scheduler
from gradwright.schedules.shapes import Cosine, InverseSqrt, Linear, Piecewise, Warmup, WarmupStableDecay

__all__ = [
    "AmosDecay",
    "AmosSettings",
    "Constant",
    "Cosine",
    "InverseSqrt",
    "Linear",
    "Piecewise",
    "Product",
    "Schedule",
    "Then",
    "Warmup",
    "WarmupStableDecay",
    "amos_settings",
    "lr_scheduler",
]
