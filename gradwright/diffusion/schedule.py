"""The noise schedule: how much data and how much noise there is in x_t, and in a jump from x_s to x_t."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradwright.diffusion.check import as_times

Time = int | Tensor


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """A Gaussian diffusion x_t = √ᾱ_t x₀ + √β̄_t ε over the times 0 (data), 1, ..., N (noise).

    With α_n = 1 − β_n: ᾱ_t = Π_{n ≤ t} α_n and β̄_t = 1 − ᾱ_t. A jump from s to t > s has α_{t|s} = ᾱ_t / ᾱ_s and
    β_{t|s} = 1 − α_{t|s}. All of them are computed in float64 from sums of ln(1 − β_n), so that a small β is not
    lost as a difference of two numbers near one.

    A library that counts timesteps from zero, as diffusers does, means by timestep τ the time τ + 1 of this class.

    Args:
        betas: β_1 ... β_N, shape (N,), each in (0, 1); the last may be 1 (no data left in x_N). Kept in float64.

    Raises:
        ValueError: a β that is not finite or outside these ranges: ᾱ would not decrease.

    Example:
        >>> schedule = NoiseSchedule.linear(1000)
        >>> schedule.steps, round(schedule.alpha_bar(500).item(), 6)
        (1000, 0.078587)
    """

    betas: Tensor
    log_alpha_bar: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        betas = torch.as_tensor(self.betas, dtype=torch.float64).detach().cpu()
        if betas.dim() != 1 or len(betas) < 1:
            raise ValueError(f"betas must have shape (N,) with N ≥ 1, got {tuple(betas.shape)}")
        bad = ~((betas > 0) & (betas <= 1))
        bad[:-1] |= betas[:-1] == 1
        if bad.any():
            first = int(bad.nonzero()[0])
            raise ValueError(
                f"betas must lie in (0, 1), the last one in (0, 1], so that alphas_cumprod decreases; "
                f"betas[{first}] is {betas[first].item()}. Did you pass alphas or alphas_cumprod? "
                f"NoiseSchedule.from_alphas_cumprod takes the latter."
            )
        object.__setattr__(self, "betas", betas)
        object.__setattr__(self, "log_alpha_bar", torch.cat([betas.new_zeros(1), torch.log1p(-betas).cumsum(0)]))

    @property
    def steps(self) -> int:
        """N, the number of noising steps."""
        return len(self.betas)

    def alpha_bar(self, t: Time) -> Tensor:
        """ᾱ_t, the share of the data in the variance of x_t; float64, shaped like ``t``."""
        return self.log_alpha_bar[as_times(t, self.steps)].exp()

    def beta_bar(self, t: Time) -> Tensor:
        """β̄_t = 1 − ᾱ_t, the variance of the noise in x_t; float64, shaped like ``t``."""
        return -torch.expm1(self.log_alpha_bar[as_times(t, self.steps)])

    def log_snr(self, t: Time) -> Tensor:
        """ln(ᾱ_t / β̄_t); float64, shaped like ``t``."""
        return self.log_alpha_bar[as_times(t, self.steps)] - self.beta_bar(t).log()

    def alpha(self, s: Time, t: Time) -> Tensor:
        """α_{t|s} = ᾱ_t / ᾱ_s of the jump from ``s`` to ``t > s``; float64."""
        return self._log_alpha(s, t).exp()

    def beta(self, s: Time, t: Time) -> Tensor:
        """β_{t|s} = 1 − α_{t|s} of the jump from ``s`` to ``t > s``; float64. DDPM's "large" variance."""
        return -torch.expm1(self._log_alpha(s, t))

    def _log_alpha(self, s: Time, t: Time) -> Tensor:
        s, t = as_times(s, self.steps, "s"), as_times(t, self.steps)
        if (s >= t).any():
            raise ValueError(f"a jump goes from s to a later t, got s={s.tolist()}, t={t.tolist()}; swap them")
        return self.log_alpha_bar[t] - self.log_alpha_bar[s]

    def scales(self, t: Time, like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √β̄_t in the dtype and on the device of ``like``, shaped to multiply a batch like it.

        Args:
            t: one time, or one for each row of ``like``, shape (B,).
            like: the batch, shape (B, ...).
        """
        pair = self.alpha_bar(t).sqrt(), self.beta_bar(t).sqrt()
        if pair[0].dim():
            if len(pair[0]) != len(like):
                raise ValueError(
                    f"t has {len(pair[0])} times for a batch of {len(like)}; pass one for each row, or one"
                )
            pair = tuple(scale.reshape(-1, *[1] * (like.dim() - 1)) for scale in pair)
        return pair[0].to(like), pair[1].to(like)

    def add_noise(self, data: Tensor, noise: Tensor, t: Time) -> Tensor:
        """x_t = √ᾱ_t x₀ + √β̄_t ε, shaped like ``data`` (B, ...); ``t`` is one time or one for each row."""
        signal, spread = self.scales(t, data)
        return signal * data + spread * noise

    @classmethod
    def from_alphas_cumprod(cls, alphas_cumprod: Any) -> NoiseSchedule:
        """The schedule with these ᾱ_1 ... ᾱ_N, shape (N,), strictly decreasing in [0, 1).

        Prefer ``NoiseSchedule(betas)`` where you have the betas: 1 − ᾱ_1 of a float32 ᾱ_1 has three digits.

        Raises:
            ValueError: they do not decrease strictly, or leave [0, 1).
        """
        values = torch.as_tensor(alphas_cumprod, dtype=torch.float64).detach().cpu()
        if values.dim() != 1 or len(values) < 1:
            raise ValueError(f"alphas_cumprod must have shape (N,) with N ≥ 1, got {tuple(values.shape)}")
        before = torch.cat([values.new_ones(1), values[:-1]])
        bad = ~((values < before) & (values >= 0))
        if bad.any():
            first = int(bad.nonzero()[0])
            raise ValueError(
                f"alphas_cumprod must decrease strictly from below 1 to at least 0, but entry {first} is "
                f"{values[first].item()} after {before[first].item()}. Leave out the 1 of the data itself, sort from "
                f"little noise to much, and pass float64 where neighbours round to the same float32."
            )
        return cls(-torch.expm1(values.log() - before.log()))

    @classmethod
    def linear(cls, steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> NoiseSchedule:
        """β_n evenly spaced from ``first`` to ``last``: DDPM's schedule (arXiv:2006.11239), its defaults."""
        return cls(torch.linspace(first, last, steps, dtype=torch.float64))

    @classmethod
    def scaled_linear(cls, steps: int = 1000, first: float = 0.00085, last: float = 0.012) -> NoiseSchedule:
        """√β_n evenly spaced: the schedule of latent diffusion (arXiv:2112.10752) with Stable Diffusion's defaults."""
        return cls(torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2)

    @classmethod
    def cosine(cls, steps: int = 1000, offset: float = 0.008, largest: float = 0.999) -> NoiseSchedule:
        """ᾱ_t ∝ cos²(π/2 · (t/N + offset) / (1 + offset)), β_n at most ``largest`` (arXiv:2102.09672, its defaults)."""
        time = torch.arange(steps + 1, dtype=torch.float64) / steps
        wave = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
        return cls((1 - wave[1:] / wave[:-1]).clamp(max=largest))
