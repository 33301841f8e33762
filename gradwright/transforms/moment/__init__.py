"""Estimates of E[g²], how they are stored, and how an update is divided by them."""

from gradwright.transforms.moment.denominator import (
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
from gradwright.transforms.moment.full import (
    Centered,
    FullPlusEps,
    InfinityNorm,
    Lagged,
    Sum,
    Uncorrected,
    UpdateSquare,
)
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
from gradwright.transforms.moment.reduced import PerRow, PerTensor, RowsAndColumns
from gradwright.transforms.moment.sm3 import Sm3
from gradwright.transforms.moment.square_matrix import SquareEma, SquareMatrix

__all__ = [
    "AddEps",
    "Atan2",
    "Bare",
    "Belief",
    "Centered",
    "Denominator",
    "EpsHat",
    "EpsInside",
    "Estimate",
    "Factored",
    "Floor",
    "Full",
    "FullPlusEps",
    "GrowingClip",
    "InfinityNorm",
    "KeepZero",
    "Lagged",
    "MaxOverTime",
    "Moment",
    "PerRow",
    "PerTensor",
    "Precondition",
    "Rectify",
    "RestFirst",
    "RowsAndColumns",
    "Sm3",
    "Softplus",
    "SquareEma",
    "SquareMatrix",
    "Sum",
    "Uncorrected",
    "UntunedWarmup",
    "UpdateSquare",
]
