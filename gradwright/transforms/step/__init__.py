"""Which way, and how far along it: signs, learning rates, distances to the solution."""

from gradwright.transforms.step.adaptation import DAdaptAdam, DAdaptSGD, DistancePull, DistanceStep
from gradwright.transforms.step.amos import ModelOrientedStep
from gradwright.transforms.step.direction import Cautious, ClipRms, Sign, TrustRatio
from gradwright.transforms.step.distance import DistanceOverGradients, WeightedDistance
from gradwright.transforms.step.layer_rate import LayerRate
from gradwright.transforms.step.lazy import Lazy
from gradwright.transforms.step.prodigy import Prodigy
from gradwright.transforms.step.size import EveryKth, LossScaled, RelativeStep, Scale, WeightScale

__all__ = [
    "Cautious",
    "ClipRms",
    "DAdaptAdam",
    "DAdaptSGD",
    "DistanceOverGradients",
    "DistancePull",
    "DistanceStep",
    "EveryKth",
    "LayerRate",
    "Lazy",
    "LossScaled",
    "ModelOrientedStep",
    "Prodigy",
    "RelativeStep",
    "Scale",
    "Sign",
    "TrustRatio",
    "WeightScale",
    "WeightedDistance",
]
