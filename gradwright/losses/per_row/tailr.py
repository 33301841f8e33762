"""TaiLr: between cross-entropy, which fears nothing more than an unlikely label, and accuracy, which shrugs at it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gradwright.losses.batch.reduction import Reduction, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.per_row.cross_entropy import Log
from gradwright.losses.per_row.curve import Curve, one_minus_p, plain_terms, smoothed

_NEAR = math.log(0.5)


@dataclass(frozen=True)
class Tailored(Curve):
    """φ(p) = −ln(γ + (1 − γ) p) / (1 − γ), W(p) = max(p / (γ + (1 − γ) p), m).

    γ = 0 is −ln p and γ = 1 is 1 − p. Below p* = m γ / (1 − m (1 − γ)), where the floor m holds W up, φ goes on as
    −m ln p + const, so that it stays the integral of its weight.
    """

    gamma: float = 0.1
    floor: float = 0.0
    bounds: ClassVar = {"gamma": (0.0, 1.0), "floor": (0.0, 1.0)}

    def value(self, log_p: Tensor) -> Tensor:
        if self.gamma == 0 or self.floor == 1:
            return -log_p
        loss = self._free(log_p)
        if self.floor == 0:
            return loss
        corner = self.floor * self.gamma / (1 - self.floor * (1 - self.gamma))
        rest = self._at(corner) + self.floor * math.log(corner)
        return torch.where(log_p < math.log(corner), rest - self.floor * log_p, loss)

    def _at(self, p: float) -> float:
        return 1 - p if self.gamma == 1 else -math.log(self.gamma + (1 - self.gamma) * p) / (1 - self.gamma)

    def _free(self, log_p: Tensor) -> Tensor:
        """φ without the floor."""
        gamma, delta = self.gamma, 1 - self.gamma
        q = one_minus_p(log_p.clamp(min=_NEAR))
        if delta < 1e-6:  # the first terms of −ln(1 − δq) / δ, whose quotient loses digits
            q = one_minus_p(log_p)
            return q + delta * q**2 / 2 + delta**2 * q**3 / 3
        near = -torch.log1p(-delta * q) / delta
        # far from p = 1 the probability itself may underflow, its logarithm does not
        far = -torch.logaddexp(log_p.new_full((), math.log(gamma)), math.log(delta) + log_p) / delta
        return torch.where(log_p < _NEAR, far, near)

    def weight(self, p: Tensor) -> Tensor:
        if self.gamma == 0:
            return torch.ones_like(p)
        return (p / (self.gamma + (1 - self.gamma) * p)).clamp(min=self.floor)

    def log_weight(self, log_p: Tensor) -> Tensor:
        """ln W from ln p, which holds where p underflows."""
        if self.gamma == 0:
            return torch.zeros_like(log_p)
        mixed = log_p if self.gamma == 1 else math.log1p(-self.gamma) + log_p
        below = log_p.new_full((), math.log(self.gamma))
        free = log_p - (below if self.gamma == 1 else torch.logaddexp(below, mixed))
        return free.clamp(min=math.log(self.floor)) if self.floor else free

    def at_zero(self) -> tuple[float, float]:
        if self.gamma == 0:
            return math.inf, 1.0
        return (math.inf, self.floor) if self.floor else (self._at(0.0), 0.0)


@dataclass(frozen=True)
class _Reweighted(Tailored):
    """W(p) · (−ln p) with W held constant: the same gradient as φ, another value."""

    def value(self, log_p: Tensor) -> Tensor:
        return -self.log_weight(log_p.detach()).exp() * log_p

    def at_zero(self) -> tuple[float, float]:
        limit, weight = super().at_zero()
        return (limit, weight) if weight else (0.0, 0.0)


def tailr(
    logits: Tensor,
    target: Tensor,
    gamma: float = 0.1,
    *,
    floor: float = 0.0,
    form: Literal["loss", "weighted"] = "loss",
    label_smoothing: float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """TaiLr: cross-entropy that trusts a label the less, the less likely the model finds it.

    ``"weighted"``: W · (−ln p_y), W = max(p_y / (γ + (1 − γ) p_y), m) held constant: as published.
    ``"loss"``:     φ(p_y) = −ln(γ + (1 − γ) p_y) / (1 − γ), whose gradient is the same and whose value is bounded by
                    −ln γ / (1 − γ): a loss to plot and to compare.

    γ = 0 is cross-entropy. γ = 1 is 1 − p_y, a smooth accuracy (the total variation distance to the label), which
    does not over-fit wrong labels but learns slowly from scratch. It is a proper score at γ = 0 only: probabilities
    are drawn towards the likeliest class.

    Args:
        logits: scores of C classes along ``dim``. For tokens, ``(batch, length, C)``.
        target: class indices, or probabilities q, with which the loss is Σₖ qₖ φ(pₖ).
        gamma: γ in [0, 1]; 0.1, as the authors ran translation. Their code starts from 1.0, their runs took 1e-7
            (story generation), 0.1 (translation) and 0.8 (summaries).
        floor: m in [0, 1], the least W; 0, as their code. Their runs took 0.2 or 0.3. It unbounds the loss.
        form: which value is reported.
        label_smoothing: ε in [0, 1]; 0. The smoothing part, (ε / C) Σₖ −ln pₖ, is cross-entropy's and is not
            reweighted, as in the authors' code.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Raises:
        ValueError: γ or m outside [0, 1], an unknown form; and as :func:`cross_entropy`.

    Deviations: the authors' code takes the softmax of log-probabilities and its logarithm, which gives NaN where p
    underflows; here all is done in ln p.

    Reference: arXiv:2302.13344 (Ji et al., ICLR 2023).

    >>> z = torch.tensor([[2.0, 1.0, 0.0]])
    >>> tailr(z, torch.tensor([2]), 0.1), tailr(z, torch.tensor([2]), 1.0)
    (tensor(1.8990), tensor(0.9100))
    """
    if form not in ("loss", "weighted"):
        raise ValueError(f"form={form!r} is unknown; choose 'loss' or 'weighted'")
    curve = (Tailored if form == "loss" else _Reweighted)(gamma, floor)
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    log_p = torch.log_softmax(batch.logits, -1)
    terms = plain_terms(curve, log_p, batch)
    if label_smoothing:
        terms = smoothed(terms, Log().of(log_p), batch, label_smoothing)
    return reduce(terms, reduction)
