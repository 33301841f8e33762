"""Gradient agreement: which samples pull another way than the rest, found while training, and counted more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gradwright.losses.batch import checks
from gradwright.losses.batch.precision import full_precision

Emphasis = Literal["bell", "sigmoid"] | Callable[[Tensor], Tensor]


class GradientAgreement(nn.Module):
    """Sample weights from the cosine between a sample's gradient and a running mean of gradients, as GradTail has it.

    cᵢ = ⟨gᵢ, ḡ⟩ / (‖gᵢ‖ ‖ḡ‖),   wᵢ = 1 + (w_max − 1) K((cᵢ − θ) / τ),   scaled so that the mean of w is 1.

    Samples of the common kind agree with ḡ. Those of the long tail, which the model has not learned but could, are
    near orthogonal to it; those that pull against it are as likely wrong labels. ``"bell"``, K(x) = exp(−x² / 2), lifts
    the first and leaves the second; ``"sigmoid"``, K(x) = σ(−x), lifts both.

    **What is reconstructed.** From the paper's abstract and introduction: agreement with the mean gradient finds the
    long tail during training and drives weights on the fly. Not published in code, and chosen here: the kernels, all
    constants, the running mean with bias correction and the normalisation.

    Args:
        w_max: the largest raw weight, ≥ 1; 5.
        emphasis: K, by name or a function of (c − θ) / τ with values in [0, 1].
        center: θ in [−1, 1]; 0.
        width: τ > 0; 0.2.
        decay: of the running mean, in [0, 1); 0.9.
        limits: the least and the largest final weight; (0.1, 10). They are applied after scaling, so that the mean may
            then differ from 1 a little.
        warmup: steps over which weights grow from 1 to full effect; 0.

    Call it with per-sample gradients on a small part of the parameters, ``(n, P)``, such as the last layer's, or use
    :meth:`of_head`, which needs no gradient per sample. A sample whose gradient is not finite has weight 0. In
    ``eval()`` the running mean stands still. The gradients a batch is judged by are those of earlier batches; the first
    batch is judged by its own mean without the sample.

    Reference: arXiv:2201.05938 (Chen et al.), for the idea.

    >>> weigh = GradientAgreement(emphasis="sigmoid")
    >>> weigh(torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.1]])).argmax()
    tensor(2)
    """

    mean: Tensor
    steps: Tensor

    def __init__(
        self,
        w_max: float = 5.0,
        emphasis: Emphasis = "bell",
        *,
        center: float = 0.0,
        width: float = 0.2,
        decay: float = 0.9,
        limits: tuple[float, float] = (0.1, 10.0),
        warmup: int = 0,
    ) -> None:
        super().__init__()
        self.w_max = checks.number("w_max", w_max, 1.0, math.inf)
        if isinstance(emphasis, str) and emphasis not in ("bell", "sigmoid"):
            raise ValueError(f"emphasis={emphasis!r} is unknown; choose bell, sigmoid or a function")
        self.emphasis = emphasis
        self.center = checks.number("center", center, -1.0, 1.0)
        self.width = checks.number("width", width, 0.0, math.inf, open_low=True)
        self.decay = checks.number("decay", decay, 0.0, math.nextafter(1.0, 0.0))
        low, high = limits
        self.limits = checks.number("limits[0]", low, 0.0, 1.0), checks.number("limits[1]", high, 1.0, math.inf)
        if warmup < 0:
            raise ValueError(f"warmup={warmup} must be at least 0")
        self.warmup = warmup
        self.register_buffer("mean", torch.zeros(0))
        self.register_buffer("steps", torch.zeros(()))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        if (saved := state_dict.get(f"{prefix}mean")) is not None:  # its length is known from the first batch only
            self.mean = torch.zeros_like(saved, device=self.mean.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @torch.no_grad()
    def forward(self, gradients: Tensor, valid: Tensor | None = None) -> Tensor:
        """Weights of samples from their gradients, ``(n, P)``; ``valid`` is False where a sample has no part."""
        if gradients.dim() != 2:
            raise ValueError(f"gradients has shape {tuple(gradients.shape)}; it must be (n, P), a row for each sample")
        g = gradients.float()
        batch = _counted(valid, g)
        g = torch.where(batch.unsqueeze(-1), g, 0.0)
        with full_precision(g):
            return self._weights(g @ g.T, g.norm(dim=-1), lambda m: g @ m, g.sum(0), batch)

    @torch.no_grad()
    def of_head(self, features: Tensor, residuals: Tensor, valid: Tensor | None = None) -> Tensor:
        """Weights of samples from what goes into and comes back to a linear last layer z = W h + b.

        The gradient on W is gᵢ = rᵢ hᵢᵀ, so ⟨gᵢ, ḡ⟩ = rᵢᵀ ḡ hᵢ and ‖gᵢ‖ = ‖rᵢ‖ ‖hᵢ‖: no gradient per sample is formed.

        Args:
            features: h, ``(n, D)``.
            residuals: r = ∂ℓᵢ/∂zᵢ, ``(n, C)``; for cross-entropy softmax(z) − one-hot(y).
            valid: False where a sample has no part, ``(n,)``.
        """
        if features.dim() != 2 or residuals.dim() != 2 or len(features) != len(residuals):
            raise ValueError(
                f"features has shape {tuple(features.shape)} and residuals {tuple(residuals.shape)}; "
                "they must be (n, D) and (n, C)"
            )
        h, r = features.float(), residuals.float()
        batch = _counted(valid, h, r)
        h, r = torch.where(batch.unsqueeze(-1), h, 0.0), torch.where(batch.unsqueeze(-1), r, 0.0)
        shape = r.shape[1], h.shape[1]
        with full_precision(h):
            inner = (r @ r.T) * (h @ h.T)
            total = (r.T @ h).flatten()
            return self._weights(
                inner, r.norm(dim=-1) * h.norm(dim=-1), lambda m: ((r @ m.view(shape)) * h).sum(-1), total, batch
            )

    def _weights(
        self, inner: Tensor, norms: Tensor, along: Callable[[Tensor], Tensor], total: Tensor, valid: Tensor
    ) -> Tensor:
        """Weights from inner products of samples, their norms, products with a vector, and the batch's sum."""
        if self.mean.numel() and self.mean.shape != total.shape:
            raise ValueError(
                f"gradients have {total.numel()} entries; those of earlier batches had {self.mean.numel()}. "
                "Use one GradientAgreement for each set of parameters"
            )
        if float(self.steps) > 0:
            mean = self.mean / (1 - self.decay ** float(self.steps))
            cosine = along(mean) / (norms * mean.norm()).clamp(min=torch.finfo(norms.dtype).tiny)
        else:  # the others' sum: Σⱼ gⱼ − gᵢ
            own = inner.diagonal()
            dots = inner.sum(-1) - own
            others = (inner.sum() - 2 * inner.sum(-1) + own).clamp(min=0.0).sqrt()
            cosine = dots / (norms * others).clamp(min=torch.finfo(norms.dtype).tiny)
            mean = total
        weights = self._lift(cosine) if bool(mean.norm() > 0) else torch.ones_like(norms)
        if self.training:
            self._learn(total, valid.sum().to(total.dtype))
        return self._scaled(weights, valid)

    def _lift(self, cosine: Tensor) -> Tensor:
        x = (cosine - self.center) / self.width
        if callable(self.emphasis):
            kernel = self.emphasis(x)
        else:
            kernel = torch.exp(-(x**2) / 2) if self.emphasis == "bell" else torch.sigmoid(-x)
        ramp = min(1.0, (float(self.steps) + 1) / (self.warmup + 1))
        return 1 + (self.w_max - 1) * ramp * kernel

    def _scaled(self, weights: Tensor, valid: Tensor) -> Tensor:
        weights = torch.where(valid, weights, 0.0)
        total = weights.sum()
        weights = weights * (valid.sum() / torch.where(total == 0, 1.0, total))
        return torch.where(valid, weights.clamp(*self.limits), 0.0)

    def _learn(self, total: Tensor, count: Tensor) -> None:
        total, count = total.clone(), count.clone()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(total)
            dist.all_reduce(count)
        if not bool(count > 0) or not bool(total.isfinite().all()):
            return
        if self.mean.numel() == 0:
            self.mean = torch.zeros_like(total)
        self.mean = self.decay * self.mean + (1 - self.decay) * total / count
        self.steps = self.steps + 1


def _counted(valid: Tensor | None, *parts: Tensor) -> Tensor:
    """Which samples have a part: those that are said to, and whose numbers are finite."""
    finite = torch.stack([part.isfinite().all(-1) for part in parts]).all(0)
    return finite if valid is None else finite & valid
