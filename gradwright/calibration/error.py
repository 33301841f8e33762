"""Calibration errors that are gathered batch by batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.calibration.bins import (
    NORMS,
    Norm,
    Reliability,
    calibration_error,
    equal_mass_bin,
    fixed_bin,
    reliability,
    sums,
)
from gradwright.calibration.metric import Metric
from gradwright.calibration.predictions import KINDS, Claims, Kind, claims


class _Error(Metric):
    def __init__(self, bins: int, norm: Norm, kind: Kind, debias: bool, threshold: float) -> None:
        if bins < 1:
            raise ValueError(f"bins={bins} must be at least 1")
        if norm not in NORMS:
            raise ValueError(f"norm={norm!r} is unknown; choose l1 (ECE), l2 (RMSCE) or max (MCE)")
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is unknown; choose {', '.join(KINDS)}")
        if debias and norm != "l2":
            raise ValueError(f"debias=True is defined for squares only; use norm='l2' instead of {norm!r}")
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold={threshold:g} is outside [0, 1)")
        self.bins, self.norm, self.kind, self.debias, self.threshold = bins, norm, kind, debias, threshold
        super().__init__()

    def update(
        self,
        predictions: Tensor,
        target: Tensor,
        *,
        logits: bool = False,
        sample_weight: Tensor | None = None,
        ignore_index: int | None = -100,
        dim: int | None = None,
    ) -> Any:
        """Add a batch.

        Args:
            predictions: probabilities ``(..., C)`` for ``"top"`` and ``"classwise"``, ``(...)`` of "yes" for
                ``"binary"``, ``(..., labels)`` for ``"multilabel"``.
            target: class indices or probabilities; for the last two, answers in [0, 1] of the same shape.
            logits: predictions are scores before the softmax or sigmoid. It is never guessed.
            sample_weight: weights ≥ 0 of samples.
            ignore_index: samples with this index have no part; of ``"multilabel"``, answers, one by one.
            dim: the dimension of the classes or labels. None: the last; for ``"multilabel"`` with more than two
                dimensions it has to be given, but for images of one label, ``(batch, 1, height, width)``.
        """
        self._add(
            claims(
                predictions,
                target,
                self.kind,
                logits=logits,
                sample_weight=sample_weight,
                ignore_index=ignore_index,
                dim=dim,
            )
        )
        return self

    def _add(self, new: Claims) -> None:
        raise NotImplementedError

    def _table(self) -> Tensor:
        """``(K, 4, bins)``."""
        raise NotImplementedError

    def per_class(self) -> Tensor:
        """The error of each class or label, ``(K,)``.

        NaN for a class without a claim, as a ``threshold`` may leave it, and for a label that was never or always true.
        """
        table = self._table()
        error = calibration_error(table, self.norm, self.debias)
        if self.kind == "multilabel":
            true, weight = table[:, 3].sum(-1), table[:, 1].sum(-1)
            error = torch.where((true > 0) & (true < weight), error, torch.nan)
        return error

    def compute(self) -> Tensor:
        """The error, a float64 number: of ``"classwise"`` and ``"multilabel"`` the mean over the classes that have one.

        NaN if empty.
        """
        return self.per_class().nanmean()


class CalibrationError(_Error):
    """Expected calibration error and its kin over bins of equal width, in memory of the number of bins.

    ECE = Σ_b (n_b / n) |acc_b − conf_b|. State is a table of sums, so that shards of data, merged in any order, give
    what one pass gives.

    Args:
        bins: 15.
        norm: ``"l1"`` (ECE), ``"l2"`` (root mean square) or ``"max"`` (MCE).
        kind: ``"top"``, the confidence of the predicted class; ``"classwise"``, every class by itself, then the mean;
            ``"binary"``, the probability of "yes"; ``"multilabel"``, as classwise for independent labels, the mean
            over labels that occur both ways.
        debias: take off what chance adds to the squares (l2 only; Kumar et al., 2019). Weights are then numbers of
            samples: a weight of 2 is the sample twice.
        right: bins are (low, high] instead of [low, high). Either way 0 and 1 are counted, where some codes drop one.
        threshold: leave claims below it out (classwise: the thresholded error, the mean over classes with a claim); 0.

    Reference: arXiv:1706.04599 (Guo et al.), arXiv:1910.12656 (Kull et al., classwise), arXiv:1909.10155 (debiased).

    >>> p, y = torch.tensor([0.25, 0.25, 0.55, 0.75, 0.75]), torch.tensor([0, 0, 1, 1, 1])
    >>> round(CalibrationError(2, kind="binary").update(p, y).compute().item(), 4)
    0.29
    """

    def __init__(
        self,
        bins: int = 15,
        norm: Norm = "l1",
        kind: Kind = "top",
        *,
        debias: bool = False,
        right: bool = False,
        threshold: float = 0.0,
    ) -> None:
        super().__init__(bins, norm, kind, debias, threshold)
        self.right = right

    def _nothing(self) -> dict[str, Tensor]:
        return {"table": torch.zeros(0, 4, self.bins, dtype=torch.float64)}

    def _add(self, new: Claims) -> None:
        tables = []
        for confidence, outcome, weight in zip(new.confidence.T, new.outcome.T, new.weight.T):
            kept = (confidence >= self.threshold) & (weight > 0)
            place = fixed_bin(confidence[kept], self.bins, self.right)
            tables.append(sums(place, confidence[kept], outcome[kept], weight[kept], self.bins))
        self._accumulate("table", torch.stack(tables))

    def _table(self) -> Tensor:
        table = self.state["table"]
        return table if len(table) else table.new_zeros(1, 4, self.bins)

    def reliability(self) -> Reliability:
        """The reliability diagram as numbers: ``(bins,)``, with a first dimension of classes if there are several."""
        table = self._table()
        edges = torch.linspace(0.0, 1.0, self.bins + 1, dtype=torch.float64)
        return reliability(table[0] if self.kind in ("top", "binary") else table, edges)


class AdaptiveCalibrationError(_Error):
    """Calibration error over bins that hold equal numbers of samples, equal confidences together.

    Its edges depend on all samples, so all are kept: 24 bytes a sample and class. Merged shards give
    what one pass gives.

    Args: as :class:`CalibrationError`.

    Reference: arXiv:1904.01685 (Nixon et al., 2019).

    >>> c, a = torch.tensor([0.3, 0.4, 0.6, 0.65, 0.9, 0.99]), torch.tensor([0, 1, 1, 0, 1, 1])
    >>> round(AdaptiveCalibrationError(3, kind="binary").update(c, a).compute().item(), 4)
    0.11
    """

    def __init__(
        self,
        bins: int = 15,
        norm: Norm = "l1",
        kind: Kind = "top",
        *,
        debias: bool = False,
        threshold: float = 0.0,
    ) -> None:
        super().__init__(bins, norm, kind, debias, threshold)

    def _nothing(self) -> dict[str, Tensor]:
        return {"samples": torch.zeros(0, 0, 3, dtype=torch.float64)}

    def _add(self, new: Claims) -> None:
        self._append("samples", torch.stack([new.confidence, new.outcome, new.weight], -1))

    def _table(self) -> Tensor:
        samples = self.state["samples"]
        if samples.numel() == 0:
            return torch.zeros(1, 4, self.bins, dtype=torch.float64)
        tables = []
        for confidence, outcome, weight in samples.permute(1, 2, 0):
            kept = (confidence >= self.threshold) & (weight > 0)
            c, o, w = confidence[kept], outcome[kept], weight[kept]
            place = equal_mass_bin(c, w, self.bins)
            tables.append(sums(place, c, o, w, self.bins))
        return torch.stack(tables)

    def reliability(self) -> Reliability:
        """The reliability diagram as numbers; without edges."""
        table = self._table()
        return reliability(table[0] if self.kind in ("top", "binary") else table, None)
