"""Proper scores: Brier and the negative log-likelihood."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gradwright.calibration.bins import fixed_bin
from gradwright.calibration.metric import Metric
from gradwright.calibration.predictions import KINDS, Claims, Kind, claims, distributions


class BrierParts(NamedTuple):
    """Murphy's decomposition: score = reliability − resolution + uncertainty + remainder.

    Attributes:
        reliability: the weighted square of acc − conf over bins; 0 is perfect calibration.
        resolution: how far the bins' outcomes lie from the overall one; more is better.
        uncertainty: of the outcome itself, which no forecast can lower.
        remainder: what spread of forecasts within a bin leaves over; 0 if they are all equal there.
    """

    reliability: Tensor
    resolution: Tensor
    uncertainty: Tensor
    remainder: Tensor


class Brier(Metric):
    """The Brier score, the mean of Σₖ (pₖ − qₖ)² in [0, 2]; (p − y)² for ``"binary"``, ``"top"`` and ``"multilabel"``.

    Args:
        kind: ``"classwise"`` (the multi-class score, the default), ``"top"``, ``"binary"``, or ``"multilabel"`` (the
            mean over labels too).
        bins: for :meth:`decompose`; 15.
        scale: ``"sum"`` over classes, as Brier has it, or ``"mean"``, which divides by their number.

    >>> Brier("binary").update(torch.tensor([0.2, 0.8]), torch.tensor([0, 1])).compute()
    tensor(0.0400, dtype=torch.float64)
    """

    def __init__(self, kind: Kind = "classwise", bins: int = 15, scale: Literal["sum", "mean"] = "sum") -> None:
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is unknown; choose {', '.join(KINDS)}")
        if scale not in ("sum", "mean"):
            raise ValueError(f"scale={scale!r} is unknown; choose sum or mean")
        if bins < 1:
            raise ValueError(f"bins={bins} must be at least 1")
        self.kind, self.bins, self.scale = kind, bins, scale
        super().__init__()

    def _nothing(self) -> dict[str, Tensor]:
        return {"table": torch.zeros(0, 5, self.bins, dtype=torch.float64)}

    def update(
        self,
        predictions: Tensor,
        target: Tensor,
        *,
        logits: bool = False,
        sample_weight: Tensor | None = None,
        ignore_index: int | None = -100,
        dim: int | None = None,
    ) -> Brier:
        """Add a batch; arguments as :meth:`CalibrationError.update`."""
        new = claims(
            predictions,
            target,
            self.kind,
            logits=logits,
            sample_weight=sample_weight,
            ignore_index=ignore_index,
            dim=dim,
        )
        self._accumulate("table", self._sums(new))
        return self

    def _sums(self, new: Claims) -> Tensor:
        """For every class and bin the weight and the weighted sums of p, y, y² and (p − y)²."""
        tables = []
        for p, y, weight in zip(new.confidence.T, new.outcome.T, new.weight.T):
            values = torch.stack([torch.ones_like(p), p, y, y**2, (p - y) ** 2]) * weight
            table = torch.zeros(5, self.bins, dtype=p.dtype, device=p.device)
            tables.append(table.index_add(1, fixed_bin(p, self.bins, right=False), values))
        return torch.stack(tables)

    def _over_classes(self, values: Tensor) -> Tensor:
        if self.kind == "multilabel":  # a label whose answers are all missing has no score
            return values.nanmean()
        return values.mean() if self.scale == "mean" else values.sum()

    def compute(self) -> Tensor:
        """The score, a float64 number; NaN if empty."""
        table = self.state["table"]
        if not len(table):
            return torch.tensor(torch.nan, dtype=torch.float64)
        return self._over_classes(table[:, 4].sum(-1) / table[:, 0].sum(-1))

    def decompose(self) -> BrierParts:
        """Reliability, resolution, uncertainty and the remainder that makes the sum exact; NaN if empty."""
        if not len(self.state["table"]):
            return BrierParts(*torch.full((4,), torch.nan, dtype=torch.float64))
        weight, p, y, square, error = self.state["table"].unbind(1)
        total = weight.sum(-1, keepdim=True)
        safe = torch.where(weight > 0, weight, 1.0)
        share, forecast, outcome = weight / total, p / safe, y / safe
        base = y.sum(-1, keepdim=True) / total
        reliable = (share * (forecast - outcome) ** 2).sum(-1)
        resolved = (share * (outcome - base) ** 2).sum(-1)
        uncertain = square.sum(-1) / total[:, 0] - base[:, 0] ** 2
        rest = error.sum(-1) / total[:, 0] - (reliable - resolved + uncertain)
        return BrierParts(*(self._over_classes(part) for part in (reliable, resolved, uncertain, rest)))


class NegativeLogLikelihood(Metric):
    """The mean of −Σₖ qₖ ln pₖ, in nats.

    >>> NegativeLogLikelihood().update(torch.tensor([[0.5, 0.5]]), torch.tensor([1])).compute()
    tensor(0.6931, dtype=torch.float64)
    """

    def _nothing(self) -> dict[str, Tensor]:
        return {"sums": torch.zeros(2, dtype=torch.float64)}

    def update(
        self,
        predictions: Tensor,
        target: Tensor,
        *,
        logits: bool = False,
        sample_weight: Tensor | None = None,
        ignore_index: int | None = -100,
        dim: int | None = None,
    ) -> NegativeLogLikelihood:
        """Add a batch of probabilities, or scores with ``logits=True``; their classes lie along ``dim``, the last."""
        log_p, truth, weight = distributions(
            predictions,
            target,
            logits=logits,
            sample_weight=sample_weight,
            ignore_index=ignore_index,
            dim=dim,
            log=True,
        )
        nll = -(truth * torch.where(truth == 0, 0.0, log_p)).sum(-1)
        self._accumulate("sums", torch.stack([(weight * nll).sum(), weight.sum()]))
        return self

    def compute(self) -> Tensor:
        """The mean; NaN if empty."""
        return self.state["sums"][0] / self.state["sums"][1]
