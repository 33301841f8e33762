"""A loss in a run: its settings move with the run, its gradients may be brought to a common scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradwright.losses import GeometricSchedule, GradientNormalizer
from gradwright.study.tasks.task import Session


class Criterion:
    """A loss in one run: moves its settings with the run, and its gradients to a common scale.

    Attributes:
        share: the part of the budget that is used up, in [0, 1); the runner sets it before every step.
    """

    def __init__(self, function: Callable[..., Tensor], settings: Mapping[str, Any], normalize: bool) -> None:
        self.function, self.settings = function, settings
        self.normalizer = GradientNormalizer() if normalize else None
        self.share = 0.0

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        return self.function(logits, target, **at(self.settings, self.share))

    def after_backward(self, parameters: Iterable[Tensor]) -> None:
        """Called between ``backward()`` and the optimizer's step."""
        if self.normalizer is not None:
            self.normalizer(parameters)


@dataclass(frozen=True)
class Loss:
    """One loss of a comparison.

    Args:
        name: its label.
        function: takes logits with the classes last, targets and the settings; gives one number.
        settings: a :class:`GeometricSchedule` over [0, 1] moves with the run; ``weight="balanced"`` is filled in.
        normalize: whether gradients are divided by a running mean of their norm.
        named: whether the label alone says all of it.
        note: what a reader must know besides the label.
    """

    name: str
    function: Callable[..., Tensor]
    settings: Mapping[str, Any] = field(default_factory=dict)
    normalize: bool = False
    named: bool = False
    note: str = ""

    def begin(self, session: Session) -> Criterion:
        """The loss at the start of a run.

        Raises:
            ValueError: the session has no logits and targets, or no counts of its classes where they are asked for.
        """
        settings = dict(self.settings)
        if session.batch is None:
            raise ValueError("this task's sessions have no batch(step) of logits and targets for a loss to compare")
        if settings.get("weight") == "balanced":
            if session.class_counts is None:
                raise ValueError("weight='balanced' needs the counts of the classes, which this task does not give")
            settings["weight"] = balanced(session.class_counts)
        return Criterion(self.function, settings, self.normalize)


def at(settings: Mapping[str, Any], share: float) -> dict[str, Any]:
    """The settings at this share of the run."""
    return {name: value(share) if isinstance(value, GeometricSchedule) else value for name, value in settings.items()}


def balanced(counts: Tensor) -> Tensor:
    """Weights n / (K n_k) of classes that occur n_k times, K of them at all: the mean over samples is 1.

    >>> balanced(torch.tensor([3, 1, 0]))
    tensor([0.6667, 2.0000, 0.0000])
    """
    counts = counts.float()
    return torch.where(counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp(min=1.0)), 0.0)
