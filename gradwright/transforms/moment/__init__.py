"""Estimates of E[g²], how they are stored, and how an update is divided by them."""

from gradwright.transforms.moment.bounded import BoundedRate
from gradwright.transforms.moment.confident import ConfidentEma, FactoredEma
from gradwright.transforms.moment.denominator import (
    AddEps,
    Atan2,
    Bare,
    Denominator,
    EpsHat,
    EpsInside,
    Floor,
    KeepZero,
    Power,
    Softplus,
)
from gradwright.transforms.moment.full import (
    Centered,
    FullPlusEps,
    InfinityNorm,
    Lagged,
    Sum,
    Uncorrected,
    UpdateSquare,
)
from gradwright.transforms.moment.gradient_sums import DivideBySums
from gradwright.transforms.moment.moments import (
    Belief,
    Estimate,
    Factored,
    Full,
    MaxOverTime,
    Moment,
)
from gradwright.transforms.moment.precondition import Precondition
from gradwright.transforms.moment.rectify import GrowingClip, Rectify, RestFirst, UntunedWarmup
from gradwright.transforms.moment.reduced import PerBlock, PerRow, PerTensor, RowsAndColumns
from gradwright.transforms.moment.signed import AdditiveSquare, QuasiSquare, SignedSquare, TensorSquare
from gradwright.transforms.moment.sm3 import Sm3
from gradwright.transforms.moment.square_matrix import SquareEma, SquareMatrix

__all__ = [
    "AddEps",
    "AdditiveSquare",
    "Atan2",
    "Bare",
    "Belief",
    "BoundedRate",
    "Centered",
    "ConfidentEma",
    "Denominator",
    "DivideBySums",
    "EpsHat",
    "EpsInside",
    "Estimate",
    "Factored",
    "FactoredEma",
    "Floor",
    "Full",
    "FullPlusEps",
    "GrowingClip",
    "InfinityNorm",
    "KeepZero",
    "Lagged",
    "MaxOverTime",
    "Moment",
    "PerBlock",
    "PerRow",
    "PerTensor",
    "Power",
    "Precondition",
    "QuasiSquare",
    "Rectify",
    "RestFirst",
    "RowsAndColumns",
    "SignedSquare",
    "Sm3",
    "Softplus",
    "SquareEma",
    "SquareMatrix",
    "Sum",
    "TensorSquare",
    "Uncorrected",
    "UntunedWarmup",
    "UpdateSquare",
]
