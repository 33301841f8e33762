"""Every loss with its module, its traits and, where it is a curve of one probability, its cross-entropy weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gradwright.losses import modules as m
from gradwright.losses.pairwise.accuracy import Miss
from gradwright.losses.per_row.cross_entropy import Log
from gradwright.losses.per_row.curve import Curve
from gradwright.losses.per_row.focal import Focal
from gradwright.losses.per_row.gce import BoxCox
from gradwright.losses.per_row.poly import Poly
from gradwright.losses.per_row.sce import Symmetric
from gradwright.losses.per_row.tailr import Tailored

TRAITS: dict[str, str] = {
    "bounded": "no sample can have a loss above a fixed number",
    "convex": "convex in the logits",
    "proper": "the expected loss is least where the probabilities are the true ones",
    "sceptical": "counts a sample the less, the less likely its label: W(p) does not fall and is 0 at p = 0",
    "symmetric": "the losses of all labels of a sample add up to a constant: uniform label noise moves no minimum",
    "accuracy": "tends to 1 − accuracy as its temperature goes to 0",
    "shift_invariant": "does not change when the same number is added to all logits of a sample",
    "soft_targets": "takes probabilities of classes as well as indices",
    "multilabel": "any number of classes may hold at once",
    "batch": "belongs to a batch and is no mean over samples",
}
"""Every trait of a loss, in a sentence."""

PROMISES: dict[str, str] = {
    "shut_out": "a logit of −inf shuts a class out: loss and gradient are those of the problem without it",
    "shut_label": "a label that is shut out costs what p = 0 costs, be it ∞, and leaves no NaN in a gradient",
    "outliers": "a robust reducer rejects an infinite loss as any other outlier, in the value and in the gradient",
    "zero_weight": "a sample of weight 0 has no part, even if its logits are NaN",
    "autocast": "computed in float32 at least, under autocast too",
    "forward_mode": "differentiated forward it gives what it gives backward",
    "weight_gradient": "sample weights may be differentiated",
}
"""What every loss promises, in a sentence; an exception is declared in its entry, with the reason."""


@dataclass(frozen=True)
class Entry:
    """A loss in the table.

    Attributes:
        function: the loss.
        module: its module class.
        traits: words from :data:`TRAITS`, true of the default settings.
        paper: where it comes from; empty where there is no one paper.
        curve: the class of its curve φ(p), whose fields are settings of the function of the same names; None if the
            loss is no function of one probability.
        exceptions: words from :data:`PROMISES` that it does not keep, each with the reason.
    """

    function: Callable[..., Tensor]
    module: type[m.Loss]
    traits: frozenset[str]
    paper: str = ""
    curve: type[Curve] | None = None
    exceptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.function.__name__

    def weight(self, p: Tensor, **settings: Any) -> Tensor:
        """W(p) = −p φ′(p): what a sample of probability p counts, beside 1 for cross-entropy.

        Raises:
            TypeError: the loss is no curve of one probability.
        """
        if self.curve is None:
            raise TypeError(f"{self.name} is no function of the label's probability alone, so it has no weight W(p)")
        return self.curve(**settings).weight(p)


def _entry(
    module: type[m.Loss], traits: str, paper: str = "", curve: type[Curve] | None = None, **exceptions: str
) -> Entry:
    return Entry(module.function, module, frozenset(traits.split()), paper, curve, exceptions)


_SOFTMAX = "shift_invariant soft_targets"
_RIVALS = "shift_invariant"
_NO_WEIGHT = dict.fromkeys(("zero_weight", "weight_gradient"), "it takes a mask of entries and no sample_weight")
_NO_LOGITS = dict.fromkeys(("shut_out", "shut_label"), "it takes probabilities and no logits")

LOSSES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        _entry(m.CrossEntropy, f"convex proper {_SOFTMAX}", "", Log),
        _entry(m.NormalizedCrossEntropy, f"bounded symmetric {_SOFTMAX}", "arXiv:2006.13554"),
        _entry(m.TaiLr, f"bounded sceptical {_SOFTMAX}", "arXiv:2302.13344", Tailored),
        _entry(m.Focal, _SOFTMAX, "arXiv:1708.02002", Focal),
        _entry(m.SigmoidFocal, "multilabel soft_targets", "arXiv:1708.02002", **_NO_WEIGHT),
        _entry(m.Poly1, _SOFTMAX, "arXiv:2204.12511", Poly),
        _entry(m.GCE, f"bounded sceptical {_SOFTMAX}", "arXiv:1805.07836", BoxCox),
        _entry(m.SCE, _SOFTMAX, "arXiv:1908.06112", Symmetric),
        _entry(m.LogitNorm, "bounded soft_targets", "arXiv:2205.09310"),
        _entry(m.EMO, f"bounded {_SOFTMAX}", "arXiv:2310.04691"),
        _entry(m.SoftAccuracy, f"bounded sceptical symmetric accuracy {_SOFTMAX}", "arXiv:1712.09482", Miss),
        _entry(m.PairwiseSigmoid, f"bounded symmetric {_RIVALS}", "arXiv:2205.09615"),
        _entry(m.PairwiseCubic, f"bounded symmetric {_RIVALS}", "arXiv:2205.09615"),
        _entry(m.PairwiseMixture, f"bounded {_RIVALS}", "arXiv:2205.09615"),
        _entry(m.TopMargin, f"bounded accuracy symmetric {_RIVALS}"),
        _entry(m.Exact, f"bounded symmetric accuracy {_SOFTMAX}", "arXiv:2205.09615"),
        _entry(
            m.SoftF1,
            "bounded multilabel soft_targets batch",
            outliers="it belongs to the whole batch and has no reduction",
            **_NO_WEIGHT,
            **_NO_LOGITS,
        ),
        _entry(m.MultilabelCrossEntropy, "convex multilabel soft_targets", "arXiv:2208.02955"),
        _entry(m.SparseMultilabelCrossEntropy, "convex multilabel", "kexue.fm/archives/8888"),
        _entry(m.JointCrossEntropy, f"convex {_SOFTMAX}", "kexue.fm/archives/9158"),
    )
}
"""Every loss by the name of its function.

>>> import torch
>>> LOSSES["gce"].weight(torch.tensor([0.25, 1.0]), q=0.5)
tensor([0.5000, 1.0000])
"""

SHORT = {"ce": "cross_entropy", "nce": "normalized_cross_entropy"}
"""Shorter names, for what is typed."""
