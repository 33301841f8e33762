"""What is done to a gradient before anything remembers it: clipping, centring, normalising, differences."""

from gradwright.transforms.gradient.condition import (
    Centralize,
    ClipNorm,
    ClipTensor,
    ClipUnits,
    ClipValue,
    SoftClip,
    Unscale,
)
from gradwright.transforms.gradient.difference import DifferenceMomentum, Friction, ReduceVariance
from gradwright.transforms.gradient.normalize import EqualizeRows, Normalize, NormalizeGradient
from gradwright.transforms.gradient.steady import ClipPeaks, SteadyNorm

__all__ = [
    "Centralize",
    "ClipNorm",
    "ClipPeaks",
    "ClipTensor",
    "ClipUnits",
    "ClipValue",
    "DifferenceMomentum",
    "EqualizeRows",
    "Friction",
    "Normalize",
    "NormalizeGradient",
    "ReduceVariance",
    "SoftClip",
    "SteadyNorm",
    "Unscale",
]
