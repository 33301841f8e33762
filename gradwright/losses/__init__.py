"""Losses: pure functions ``(logits, target, ...) -> Tensor`` and their modules.

One vocabulary throughout: logits with the classes along ``dim`` (the last), targets as indices or as probabilities,
``weight`` of classes, ``sample_weight``, ``ignore_index``, and ``reduction`` as a word or as a reducer. Half types are
computed in float32. ``LOSSES`` is the table of all of them.
"""

from gradwright.losses.accuracy import soft_accuracy, top_margin
from gradwright.losses.agreement import GradientAgreement
from gradwright.losses.checks import checking
from gradwright.losses.cross_entropy import cross_entropy, normalized_cross_entropy
from gradwright.losses.emo import emo
from gradwright.losses.exact import GeometricSchedule, exact
from gradwright.losses.focal import focal, sigmoid_focal
from gradwright.losses.gce import gce
from gradwright.losses.grad_norm import GradNorm
from gradwright.losses.gradient_normalizer import GradientNormalizer
from gradwright.losses.joint import joint_cross_entropy
from gradwright.losses.logit_norm import logit_norm
from gradwright.losses.modules import (
    EMO,
    GCE,
    SCE,
    CrossEntropy,
    Exact,
    Focal,
    JointCrossEntropy,
    LogitNorm,
    Loss,
    MultilabelCrossEntropy,
    NormalizedCrossEntropy,
    PairwiseCubic,
    PairwiseMixture,
    PairwiseSigmoid,
    Poly1,
    SigmoidFocal,
    SoftAccuracy,
    SoftF1,
    SparseMultilabelCrossEntropy,
    TaiLr,
    TopMargin,
)
from gradwright.losses.multilabel import (
    label_share,
    multilabel_cross_entropy,
    score_threshold,
    sparse_multilabel_cross_entropy,
)
from gradwright.losses.pairwise import pairwise_cubic, pairwise_mixture, pairwise_sigmoid
from gradwright.losses.poly import poly1
from gradwright.losses.reducers import HarrellDavis, SoftMedian, TopMean, TrimmedMean
from gradwright.losses.robust_means import HuberMean, MedianOfMeans
from gradwright.losses.sce import sce
from gradwright.losses.soft_f1 import soft_f1
from gradwright.losses.table import LOSSES, TRAITS, Entry
from gradwright.losses.tailr import tailr

__all__ = [
    "EMO",
    "GCE",
    "LOSSES",
    "SCE",
    "TRAITS",
    "CrossEntropy",
    "Entry",
    "Exact",
    "Focal",
    "GeometricSchedule",
    "GradNorm",
    "GradientAgreement",
    "GradientNormalizer",
    "HarrellDavis",
    "HuberMean",
    "JointCrossEntropy",
    "LogitNorm",
    "Loss",
    "MedianOfMeans",
    "MultilabelCrossEntropy",
    "NormalizedCrossEntropy",
    "PairwiseCubic",
    "PairwiseMixture",
    "PairwiseSigmoid",
    "Poly1",
    "SigmoidFocal",
    "SoftAccuracy",
    "SoftF1",
    "SoftMedian",
    "SparseMultilabelCrossEntropy",
    "TaiLr",
    "TopMargin",
    "TopMean",
    "TrimmedMean",
    "checking",
    "cross_entropy",
    "emo",
    "exact",
    "focal",
    "gce",
    "joint_cross_entropy",
    "label_share",
    "logit_norm",
    "multilabel_cross_entropy",
    "normalized_cross_entropy",
    "pairwise_cubic",
    "pairwise_mixture",
    "pairwise_sigmoid",
    "poly1",
    "sce",
    "score_threshold",
    "sigmoid_focal",
    "soft_accuracy",
    "soft_f1",
    "sparse_multilabel_cross_entropy",
    "tailr",
    "top_margin",
]
