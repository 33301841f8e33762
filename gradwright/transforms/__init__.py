"""The parts: one concept each, all of the form ``(u, state, ctx) -> (u, state)``."""

from gradwright.transforms.adaptation import DAdaptAdam, DAdaptSGD, DistanceDecay, DistanceStep
from gradwright.transforms.adaptive_memory import AdaptiveMemory, AdaptiveMemoryMoment
from gradwright.transforms.amos import ModelOrientedStep
from gradwright.transforms.condition import Centralize, ClipNorm, ClipUnits, ClipValue, SoftClip
from gradwright.transforms.constrained import Constrain
from gradwright.transforms.denominator import (
    AddEps,
    Atan2,
    Bare,
    Denominator,
    EpsHat,
    EpsInside,
    Floor,
    KeepZero,
    Softplus,
)
from gradwright.transforms.direction import Cautious, ClipRms, Sign, TrustRatio
from gradwright.transforms.distance import DistanceOverGradients, WeightedDistance
from gradwright.transforms.eigenbasis import EigenbasisAdam
from gradwright.transforms.fractional import FractionalMemory
from gradwright.transforms.full_moments import FullPlusEps, InfinityNorm, Lagged, Uncorrected, UpdateSquare
from gradwright.transforms.gradient_difference import DifferenceMomentum, Friction, ReduceVariance
from gradwright.transforms.hyperball import Hyperball
from gradwright.transforms.layer_rate import LayerRate
from gradwright.transforms.lazy import Lazy
from gradwright.transforms.long_memory import AmplifySlow, FastAndSlow, RestoreNorm
from gradwright.transforms.lookahead import Lookahead, PullBack
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
from gradwright.transforms.neuron import NeuronNorm
from gradwright.transforms.norm_loss import NormLoss
from gradwright.transforms.normalize import EqualizeRows, Normalize, NormalizeGradient
from gradwright.transforms.orthogonalize import Orthogonalize
from gradwright.transforms.polyak import PolyakScheduleFree
from gradwright.transforms.positive_negative import PositiveNegative
from gradwright.transforms.precondition import Precondition
from gradwright.transforms.prodigy import Prodigy
from gradwright.transforms.proximal import ProximalDecay
from gradwright.transforms.rectify import GrowingClip, Rectify, RestFirst, UntunedWarmup
from gradwright.transforms.reduced_moment import PerRow, PerTensor
from gradwright.transforms.regularise import L2, CautiousDecay, Decay, RelativeDecay, ShrinkOnNan, StableDecay
from gradwright.transforms.schedule_free import OnceTrusted, Rectification, ScheduleFree
from gradwright.transforms.shape_scale import Rescale, ShapeScale
from gradwright.transforms.size import EveryKth, LossScaled, RelativeStep, Scale, WeightScale
from gradwright.transforms.sm3 import Sm3
from gradwright.transforms.spectral import SpectralStep
from gradwright.transforms.square_matrix import SquareEma, SquareMatrix
from gradwright.transforms.weight_average import Exponential, PolynomialDecay, PowerFunction, WeightAverage, WeightTrack

__all__ = [
    "L2",
    "AccumulatingEma",
    "AdaptiveMemory",
    "AdaptiveMemoryMoment",
    "AddEps",
    "AmplifySlow",
    "Atan2",
    "Bare",
    "Belief",
    "Cautious",
    "CautiousDecay",
    "Centralize",
    "ClipNorm",
    "ClipRms",
    "ClipUnits",
    "ClipValue",
    "Constrain",
    "DAdaptAdam",
    "DAdaptSGD",
    "Debias",
    "Decay",
    "Denominator",
    "DifferenceMomentum",
    "DistanceDecay",
    "DistanceOverGradients",
    "DistanceStep",
    "EigenbasisAdam",
    "Ema",
    "EpsHat",
    "EpsInside",
    "EqualizeRows",
    "Estimate",
    "EveryKth",
    "Exponential",
    "Factored",
    "FastAndSlow",
    "Floor",
    "FractionalMemory",
    "Friction",
    "Full",
    "FullPlusEps",
    "GrowingClip",
    "HeavyBall",
    "Hyperball",
    "InfinityNorm",
    "KeepZero",
    "Lagged",
    "LayerRate",
    "Lazy",
    "Lookahead",
    "LossScaled",
    "MaxOverTime",
    "ModelOrientedStep",
    "Moment",
    "NesterovDebiased",
    "NesterovSchedule",
    "NeuronNorm",
    "NormLoss",
    "Normalize",
    "NormalizeGradient",
    "OnceTrusted",
    "Orthogonalize",
    "PerRow",
    "PerTensor",
    "PolyakScheduleFree",
    "PolynomialDecay",
    "PositiveNegative",
    "PowerFunction",
    "Precondition",
    "Prodigy",
    "ProximalDecay",
    "PullBack",
    "Rectification",
    "Rectify",
    "ReduceVariance",
    "RelativeDecay",
    "RelativeStep",
    "Rescale",
    "RestFirst",
    "RestoreNorm",
    "Scale",
    "ScheduleFree",
    "ShapeScale",
    "ShrinkOnNan",
    "Sign",
    "Sm3",
    "SoftClip",
    "Softplus",
    "SpectralStep",
    "SquareEma",
    "SquareMatrix",
    "StableDecay",
    "TrustRatio",
    "TwoSpeed",
    "Uncorrected",
    "UntunedWarmup",
    "UpdateSquare",
    "WeightAverage",
    "WeightScale",
    "WeightTrack",
    "WeightedDistance",
]
