"""A second head that tells the error of each entry of each x_t: SN-DPM and NPR-DPM (arXiv:2206.07309)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.diffusion.check import check_data_range, check_output, in_double
from gradwright.diffusion.prediction import Prediction, check_prediction, to_noise
from gradwright.diffusion.schedule import NoiseSchedule, Time


@dataclass(frozen=True)
class SecondHead:
    """What the second half of a network's channels predicts about ε, and what variance of the data follows.

    Args:
        data_range: bounds (a, b) of the data: no variance of an entry at any x_t exceeds ((b − a) / 2)². The error of
            a network that is not exact can, where its x̂₀ is far off; then, and for latents, None.
    """

    data_range: tuple[float, float] | None = None

    def target(self, noise: Tensor, predicted: Tensor) -> Tensor:
        """What the head should have said; no gradient flows through it."""
        raise NotImplementedError

    def spread(self, predicted: Tensor, second: Tensor) -> Tensor:
        """Var[ε | x_t] of each entry."""
        raise NotImplementedError

    def mse(self, schedule: NoiseSchedule, predicted: Tensor, second: Tensor, t: Time) -> Tensor:
        """E[(x₀ − x̂₀)² | x_t] = (β̄_t / ᾱ_t) Var[ε | x_t] between 0 and what the data's range allows; float64.

        Args:
            predicted: ε̂, shape (B, C, ...).
            second: the head's output, shaped like it.
            t: one time, or one for each row.

        Raises:
            ValueError: a time at which x_t holds no data (ᾱ_t = 0).
        """
        if (schedule.alpha_bar(t) == 0).any():
            raise ValueError(
                f"t={torch.as_tensor(t).tolist()} holds a time where alphas_cumprod is 0: x_t is noise alone, and a "
                f"head that tells the error of the noise says nothing of the data's; use a DenoisingError there"
            )
        predicted, second = in_double(predicted), in_double(second)
        weight = schedule.beta_bar(t) / schedule.alpha_bar(t)
        weight = weight.reshape((-1, *[1] * (second.dim() - 1)) if weight.dim() else ()).to(second.device)
        error = (weight * self.spread(predicted, second)).clamp(min=0)
        if self.data_range is None:
            return error
        # β̄ / ᾱ bounds the mean over states; a single state is bounded by the range alone (Popoviciu)
        low, high = check_data_range(self.data_range)
        return error.clamp(max=((high - low) / 2) ** 2)


class SN(SecondHead):
    """Squared noise: h ≈ E[ε² | x_t], and the variance is h − ε̂². Optimal if ε̂ is exact; may cancel below zero."""

    def target(self, noise, predicted):
        return noise**2

    def spread(self, predicted, second):
        return second - predicted**2


class NPR(SecondHead):
    """Noise prediction residual: g ≈ E[(ε − ε̂)² | x_t], and the variance is g. Optimal for the ε̂ at hand."""

    def target(self, noise, predicted):
        return ((noise - predicted) ** 2).detach()

    def spread(self, predicted, second):
        return second


def head_loss(
    network: nn.Module,
    head: SecondHead,
    schedule: NoiseSchedule,
    data: Tensor,
    noise: Tensor,
    t: Time,
    *condition: Any,
    prediction: Prediction = "epsilon",
) -> Tensor:
    """Mean squared error of the second head on one batch, to be minimised over its weights: E(y − second)².

    y is ε² for :class:`SN` and (ε − ε̂)² for :class:`NPR`. The authors sum over dimensions where this takes the mean.

    Args:
        network: returns 2C channels: its prediction, then the head; :class:`TwoHeads` makes one.
        head: SN() or NPR().
        schedule: the schedule of the network.
        data: x₀, shape (B, C, ...).
        noise: ε, shaped like it.
        t: shape (B,), int64 in 1 ... N.
        condition: handed on to the network.
        prediction: of the first half.
    """
    check_prediction(prediction, schedule)
    x = schedule.add_noise(data, noise, t)
    output, second = split_heads(network(x, torch.as_tensor(t, device=x.device), *condition), x, t)
    predicted = to_noise(schedule, prediction, output, x, t)
    return ((head.target(noise, predicted) - second) ** 2).mean()


def split_heads(output: Tensor, x: Tensor, t: Time) -> tuple[Tensor, Tensor]:
    """The two halves of a network's 2C channels.

    Raises:
        ValueError: the network did not return (B, 2C, ...) for x of (B, C, ...), or NaN.
    """
    if x.dim() < 2:
        raise ValueError(f"a second head needs x of shape (B, C, ...), got {tuple(x.shape)}")
    first, second = check_output(output, x, t, heads=2).chunk(2, 1)
    return first, second


class TwoHeads(nn.Module):
    """A trained network, frozen, and a new head on its features: together 2C channels.

    The head starts at zero, so that nothing but the second half is new, and the prediction stays what it was, bit for
    bit. Only the head's weights have ``requires_grad``: pass ``module.head.parameters()`` to an optimizer.

    Args:
        backbone: ``backbone(x, t, ...)`` returns C channels.
        head: from features (B, F, ...) to C channels, for example :func:`zero_head`.
        features: the name of the submodule of the backbone whose output the head reads, as ``named_modules`` says it;
            it must carry the time, as the last normalisation before a U-Net's output does.
        positive: pass the head through softplus, so that a variance cannot be negative; for :class:`NPR`.

    Raises:
        ValueError: no submodule of that name.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, features: str, positive: bool = False) -> None:
        super().__init__()
        known = dict(backbone.named_modules())
        if features not in known or not features:
            near = ", ".join(name for name in list(known)[-8:] if name)
            raise ValueError(f"features must name a submodule of backbone, got {features!r}; its last ones are {near}")
        self.backbone, self.head, self.features, self.positive = (
            backbone.requires_grad_(False),
            head,
            features,
            positive,
        )
        self.train(self.training)

    def train(self, mode: bool = True) -> TwoHeads:
        """Training mode of the head alone: the backbone stays as it samples."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        seen: list[Tensor] = []
        module = self.backbone.get_submodule(self.features)
        handle = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        try:
            with torch.no_grad():
                output = self.backbone(x, *args, **kwargs)
        finally:
            handle.remove()
        if not seen:
            raise ValueError(f"features={self.features!r} was not called by the backbone; name a module that is")
        second = self.head(seen[-1].detach())
        if second.shape != output.shape:
            raise ValueError(
                f"head must return the backbone's shape {tuple(output.shape)}, got {tuple(second.shape)} from features "
                f"of {tuple(seen[-1].shape)}"
            )
        return torch.cat([output, nn.functional.softplus(second) if self.positive else second], 1)


def zero_head(features: int, channels: int, groups: int = 32) -> nn.Sequential:
    """Normalise, SiLU and a 3 × 3 convolution that starts at zero: the authors' simple head for images.

    Args:
        features: channels in.
        channels: channels out, those of the data.
        groups: of the normalisation; must divide ``features``.
    """
    if features % groups:
        raise ValueError(f"groups must divide features={features}, got {groups}; try {_divisor(features, groups)}")
    convolution = nn.Conv2d(features, channels, 3, padding=1)
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return nn.Sequential(nn.GroupNorm(groups, features), nn.SiLU(), convolution)


def _divisor(features: int, groups: int) -> int:
    return next(count for count in range(min(groups, features), 0, -1) if features % count == 0)
