"""Which way, and how far along it: signs, learning rates, distances to the solution."""

from gradwright.transforms.step.adaptation import DAdaptAdam, DAdaptSGD, DistancePull, DistanceStep
from gradwright.transforms.step.amos import ModelOrientedStep
from gradwright.transforms.step.attract import Attract
from gradwright.transforms.step.direction import Cautious, ClipRms, Sign, TrustRatio
from gradwright.transforms.step.distance import DistanceOverGradients, WeightedDistance
from gradwright.transforms.step.face import FaceGradient, FaceMomentum
from gradwright.transforms.step.growth import GrowthLimit
from gradwright.transforms.step.layer_rate import LayerRate
from gradwright.transforms.step.lazy import Lazy
from gradwright.transforms.step.prodigy import Prodigy
from gradwright.transforms.step.resilient import ResilientStep
from gradwright.transforms.step.side_scale import AveragedSideDecay, SideScale
from gradwright.transforms.step.size import EveryKth, LossScaled, RelativeStep, Scale, WeightScale
from gradwright.transforms.step.surprise import SurpriseClip
from gradwright.transforms.step.units import RestoreUnits
from gradwright.transforms.step.waning import InverseTime, WaningScale

__all__ = [
    "Attract",
    "AveragedSideDecay",
    "Cautious",
    "ClipRms",
    "DAdaptAdam",
    "DAdaptSGD",
    "DistanceOverGradients",
    "DistancePull",
    "DistanceStep",
    "EveryKth",
    "FaceGradient",
    "FaceMomentum",
    "GrowthLimit",
    "InverseTime",
    "LayerRate",
    "Lazy",
    "LossScaled",
    "ModelOrientedStep",
    "Prodigy",
    "RelativeStep",
    "ResilientStep",
    "RestoreUnits",
    "Scale",
    "SideScale",
    "Sign",
    "SurpriseClip",
    "TrustRatio",
    "WaningScale",
    "WeightScale",
    "WeightedDistance",
]
