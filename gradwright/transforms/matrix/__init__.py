"""Updates that see a parameter as a matrix: orthogonal, spectral, in an eigenbasis."""

from gradwright.transforms.matrix.compressed import CompressedEma
from gradwright.transforms.matrix.eigenbasis import EigenbasisAdam
from gradwright.transforms.matrix.graft import Graft
from gradwright.transforms.matrix.kronecker import EigenbasisSign, KroneckerEigen, KroneckerRoot
from gradwright.transforms.matrix.kullback_leibler import KullbackLeibler
from gradwright.transforms.matrix.low_rank import LowRank
from gradwright.transforms.matrix.neuron import NeuronNorm
from gradwright.transforms.matrix.norm_ball import NormBall
from gradwright.transforms.matrix.orthogonalize import Orthogonalize
from gradwright.transforms.matrix.shape_scale import Rescale, ShapeScale
from gradwright.transforms.matrix.sinkhorn import RowColumnScale, Sinkhorn
from gradwright.transforms.matrix.sketch import PowerIteration, TopRows
from gradwright.transforms.matrix.spectral import SpectralStep

__all__ = [
    "CompressedEma",
    "EigenbasisAdam",
    "EigenbasisSign",
    "Graft",
    "KroneckerEigen",
    "KroneckerRoot",
    "KullbackLeibler",
    "LowRank",
    "NeuronNorm",
    "NormBall",
    "Orthogonalize",
    "PowerIteration",
    "Rescale",
    "RowColumnScale",
    "ShapeScale",
    "Sinkhorn",
    "SpectralStep",
    "TopRows",
]
