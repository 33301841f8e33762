"""Losses: pure functions ``(logits, target, ...) -> Tensor`` and their modules.

One vocabulary throughout: logits with the classes along ``dim`` (the last), targets as indices or as probabilities,
``weight`` of classes, ``sample_weight``, ``ignore_index``, and ``reduction`` as a word or as a reducer. Half types are
computed in float32. ``LOSSES`` is the table of all of them.
"""

from gradwright.losses.batch.checks import checking
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
from gradwright.losses.multilabel.cross_entropy import (
    label_share,
    multilabel_cross_entropy,
    score_threshold,
    sparse_multilabel_cross_entropy,
)
from gradwright.losses.multilabel.joint import joint_cross_entropy
from gradwright.losses.multilabel.soft_f1 import soft_f1
from gradwright.losses.orthant.exact import GeometricSchedule, exact
from gradwright.losses.pairwise.accuracy import soft_accuracy, top_margin
from gradwright.losses.pairwise.counts import pairwise_cubic, pairwise_mixture, pairwise_sigmoid
from gradwright.losses.per_row.cross_entropy import cross_entropy, normalized_cross_entropy
from gradwright.losses.per_row.emo import emo
from gradwright.losses.per_row.focal import focal, sigmoid_focal
from gradwright.losses.per_row.gce import gce
from gradwright.losses.per_row.logit_norm import logit_norm
from gradwright.losses.per_row.poly import poly1
from gradwright.losses.per_row.sce import sce
from gradwright.losses.per_row.tailr import tailr
from gradwright.losses.table import LOSSES, PROMISES, TRAITS, Entry
from gradwright.losses.weighting.agreement import GradientAgreement
from gradwright.losses.weighting.grad_norm import GradNorm
from gradwright.losses.weighting.gradient_normalizer import GradientNormalizer
from gradwright.losses.weighting.reducers import HarrellDavis, SoftMedian, TopMean, TrimmedMean
from gradwright.losses.weighting.robust_means import HuberMean, MedianOfMeans

__all__ = [
    "EMO",
    "GCE",
    "LOSSES",
    "PROMISES",
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
