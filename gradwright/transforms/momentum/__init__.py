"""What the direction remembers of earlier gradients."""

from gradwright.transforms.momentum.adaptive_memory import AdaptiveMemory, AdaptiveMemoryMoment
from gradwright.transforms.momentum.averages import (
    AccumulatingEma,
    CorrectAdam,
    Debias,
    Ema,
    HeavyBall,
    NesterovDebiased,
    NesterovSchedule,
    TwoSpeed,
)
from gradwright.transforms.momentum.conditional import ConditionalAverage
from gradwright.transforms.momentum.fractional import FractionalMemory
from gradwright.transforms.momentum.inertia import AdaptiveInertia
from gradwright.transforms.momentum.long_memory import AmplifySlow, FastAndSlow, RestoreNorm
from gradwright.transforms.momentum.positive_negative import PositiveNegative
from gradwright.transforms.momentum.quasi import AggregateMomentum, QuasiHyperbolic
from gradwright.transforms.momentum.restart import ClipSpikes, Restart, RestartWarmup

__all__ = [
    "AccumulatingEma",
    "AdaptiveInertia",
    "AdaptiveMemory",
    "AdaptiveMemoryMoment",
    "AggregateMomentum",
    "AmplifySlow",
    "ClipSpikes",
    "ConditionalAverage",
    "CorrectAdam",
    "Debias",
    "Ema",
    "FastAndSlow",
    "FractionalMemory",
    "HeavyBall",
    "NesterovDebiased",
    "NesterovSchedule",
    "PositiveNegative",
    "QuasiHyperbolic",
    "Restart",
    "RestartWarmup",
    "RestoreNorm",
    "TwoSpeed",
]
