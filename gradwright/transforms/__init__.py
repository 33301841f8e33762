"""The parts: one concept each, all of the form ``(u, state, ctx) -> (u, state)``."""

from gradwright.transforms.average import Lookahead, ScheduleFree
from gradwright.transforms.denominator import AddEps, Bare, Denominator
from gradwright.transforms.direction import Cautious, ClipRms, Sign, TrustRatio
from gradwright.transforms.moment import Belief, Estimate, Factored, Full, MaxOverTime, Moment
from gradwright.transforms.momentum import (
    AccumulatingEma,
    Debias,
    Ema,
    HeavyBall,
    NesterovDebiased,
    NesterovSchedule,
    TwoSpeed,
)
from gradwright.transforms.orthogonalize import Orthogonalize, ShapeScale
from gradwright.transforms.precondition import Precondition
from gradwright.transforms.regularise import L2, Decay, RelativeDecay, ShrinkOnNan
from gradwright.transforms.size import EveryKth, LossScaled, RelativeStep, Scale, WeightScale

__all__ = [
    "L2",
    "AccumulatingEma",
    "AddEps",
    "Bare",
    "Belief",
    "Cautious",
    "ClipRms",
    "Debias",
    "Decay",
    "Denominator",
    "Ema",
    "Estimate",
    "EveryKth",
    "Factored",
    "Full",
    "HeavyBall",
    "Lookahead",
    "LossScaled",
    "MaxOverTime",
    "Moment",
    "NesterovDebiased",
    "NesterovSchedule",
    "Orthogonalize",
    "Precondition",
    "RelativeDecay",
    "RelativeStep",
    "Scale",
    "ScheduleFree",
    "ShapeScale",
    "ShrinkOnNan",
    "Sign",
    "TrustRatio",
    "TwoSpeed",
    "WeightScale",
]
