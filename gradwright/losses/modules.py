"""The losses as modules: settings at construction, tensors at the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from gradwright.losses.multilabel.cross_entropy import multilabel_cross_entropy, sparse_multilabel_cross_entropy
from gradwright.losses.multilabel.joint import joint_cross_entropy
from gradwright.losses.multilabel.soft_f1 import soft_f1
from gradwright.losses.orthant.exact import exact
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

_AT_CALL = ("sample_weight", "mask")


class Loss(nn.Module):
    """A loss function with its settings. Made by :func:`module`.

    Tensors among the settings, such as ``weight``, are buffers: they move with the module and are saved with it. What
    belongs to one batch, ``sample_weight`` or ``mask``, is given at the call, where the function takes it.

    Raises:
        TypeError: a setting that the function does not have.
    """

    function: Callable[..., Tensor]

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__()
        bound = settings_of(self.function).bind(*args, **settings)
        bound.apply_defaults()
        self._settings = {}
        for name, value in bound.arguments.items():
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            elif isinstance(value, nn.Module):
                raise TypeError(f"{name} is a module; give a value or a function")
            else:
                self._settings[name] = value
        self._buffered = tuple(self._buffers)

    def __getattr__(self, name: str) -> Any:
        settings = self.__dict__.get("_settings", {})
        return settings[name] if name in settings else super().__getattr__(name)

    def forward(self, logits: Tensor, target: Tensor, **at_call: Tensor | None) -> Tensor:
        """The loss of a batch; ``at_call`` is ``sample_weight`` or ``mask``."""
        if unknown := at_call.keys() - set(_AT_CALL):
            raise TypeError(f"{sorted(unknown)[0]} is a setting: give it to {type(self).__name__}(), not at the call")
        buffers = {name: getattr(self, name) for name in self._buffered}
        return type(self).function(logits, target, **self._settings, **buffers, **at_call)

    def extra_repr(self) -> str:
        defaults = settings_of(self.function).parameters
        told = {n: v for n, v in self._settings.items() if v is not defaults[n].default and v != defaults[n].default}
        return ", ".join([*(f"{n}={v!r}" for n, v in told.items()), *(f"{n}=<tensor>" for n in self._buffered)])


def settings_of(function: Callable[..., Tensor]) -> inspect.Signature:
    """What a loss function takes beside the tensors of a batch."""
    signature = inspect.signature(function)
    kept = [p for p in list(signature.parameters.values())[2:] if p.name not in _AT_CALL]
    return signature.replace(parameters=kept, return_annotation=inspect.Signature.empty)


def module(name: str, function: Callable[..., Tensor]) -> type[Loss]:
    """The module class of a loss function: ``module("Focal", focal)(focus=1.0)(logits, target)``."""
    summary = (function.__doc__ or "").strip().splitlines()[0]
    body = {
        "function": staticmethod(function),
        "__doc__": f"{summary}\n\nThe module of :func:`{function.__name__}`, whose settings it takes.",
        "__module__": __name__,
        "__signature__": settings_of(function),
    }
    return type(name, (Loss,), body)


CrossEntropy = module("CrossEntropy", cross_entropy)
NormalizedCrossEntropy = module("NormalizedCrossEntropy", normalized_cross_entropy)
TaiLr = module("TaiLr", tailr)
Focal = module("Focal", focal)
SigmoidFocal = module("SigmoidFocal", sigmoid_focal)
Poly1 = module("Poly1", poly1)
GCE = module("GCE", gce)
SCE = module("SCE", sce)
LogitNorm = module("LogitNorm", logit_norm)
EMO = module("EMO", emo)
SoftAccuracy = module("SoftAccuracy", soft_accuracy)
PairwiseSigmoid = module("PairwiseSigmoid", pairwise_sigmoid)
PairwiseCubic = module("PairwiseCubic", pairwise_cubic)
PairwiseMixture = module("PairwiseMixture", pairwise_mixture)
TopMargin = module("TopMargin", top_margin)
Exact = module("Exact", exact)
SoftF1 = module("SoftF1", soft_f1)
MultilabelCrossEntropy = module("MultilabelCrossEntropy", multilabel_cross_entropy)
SparseMultilabelCrossEntropy = module("SparseMultilabelCrossEntropy", sparse_multilabel_cross_entropy)
JointCrossEntropy = module("JointCrossEntropy", joint_cross_entropy)
