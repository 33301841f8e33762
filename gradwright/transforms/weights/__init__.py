"""What is done to the weights themselves: decay, constraints, averages."""

from gradwright.transforms.weights.average import (
    Exponential,
    LateMean,
    PolynomialDecay,
    PowerFunction,
    WeightAverage,
    WeightTrack,
)
from gradwright.transforms.weights.constrained import Constrain
from gradwright.transforms.weights.dual import DualAverage, FollowRegularizedLeader, MirrorAverage
from gradwright.transforms.weights.hyperball import Hyperball
from gradwright.transforms.weights.lookahead import Lookahead, PullBack
from gradwright.transforms.weights.norm_loss import NormLoss
from gradwright.transforms.weights.polyak import PolyakScheduleFree
from gradwright.transforms.weights.projected import ProjectedDecay
from gradwright.transforms.weights.proximal import ProximalDecay
from gradwright.transforms.weights.regularise import (
    L2,
    CautiousDecay,
    Decay,
    RelativeDecay,
    ShrinkOnNan,
    StableDecay,
)
from gradwright.transforms.weights.schedule_free import OnceTrusted, Rectification, ScheduleFree
from gradwright.transforms.weights.self_scaled import SelfScaled

__all__ = [
    "L2",
    "CautiousDecay",
    "Constrain",
    "Decay",
    "DualAverage",
    "Exponential",
    "FollowRegularizedLeader",
    "Hyperball",
    "LateMean",
    "Lookahead",
    "MirrorAverage",
    "NormLoss",
    "OnceTrusted",
    "PolyakScheduleFree",
    "PolynomialDecay",
    "PowerFunction",
    "ProjectedDecay",
    "ProximalDecay",
    "PullBack",
    "Rectification",
    "RelativeDecay",
    "ScheduleFree",
    "SelfScaled",
    "ShrinkOnNan",
    "StableDecay",
    "WeightAverage",
    "WeightTrack",
]
