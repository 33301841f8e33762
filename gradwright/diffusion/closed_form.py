"""Data of which everything is known: exact networks, exact errors, and chains computed without sampling.

Whoever changes a sampler or a scheduler can test it here against the truth instead of against pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.diffusion.check import as_times, as_trajectory, check_eta
from gradwright.diffusion.schedule import NoiseSchedule, Time
from gradwright.diffusion.variance import direction_variance


@dataclass(frozen=True)
class GaussianMixture:
    """Data whose entries are independent draws of one mixture Σ π_k N(μ_k, s_k²).

    Every function takes tensors of any shape and works entry by entry, in float64.

    Args:
        weights: π, positive, of sum 1.
        means: μ.
        deviations: s, at least 0; a point mass has 0.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.weights), len(self.means), len(self.deviations)}
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError(f"weights, means and deviations must be of one length, got {self}")
        if min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-12:
            raise ValueError(f"weights must be positive and sum to 1, got {self.weights}")
        if min(self.deviations) < 0:
            raise ValueError(f"deviations must not be negative, got {self.deviations}")

    @classmethod
    def single(cls, mean: float = 0.0, deviation: float = 1.0) -> GaussianMixture:
        """One Gaussian N(mean, deviation²)."""
        return cls((1.0,), (mean,), (deviation,))

    def sample(self, *shape: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws of the given shape; float64."""
        weights = torch.tensor(self.weights, dtype=torch.float64)
        which = torch.multinomial(weights, math.prod(shape), replacement=True, generator=generator).reshape(shape)
        means, deviations = (torch.tensor(v, dtype=torch.float64) for v in (self.means, self.deviations))
        return means[which] + deviations[which] * torch.randn(shape, generator=generator, dtype=torch.float64)

    def posterior(self, schedule: NoiseSchedule, x: Tensor, t: Time) -> tuple[Tensor, Tensor]:
        """E[x₀ | x_t] and Var[x₀ | x_t], each shaped like ``x``.

        With v_k = ᾱ s_k² + β̄ and r_k ∝ π_k N(x; √ᾱ μ_k, v_k): m_k = μ_k + √ᾱ (s_k² / v_k)(x − √ᾱ μ_k), the mean is
        Σ r_k m_k and the variance Σ r_k (s_k² β̄ / v_k + (m_k − mean)²).
        """
        x = x.to(torch.float64)
        root, noise = (scale[..., None] for scale in schedule.scales(t, x))
        weights, means, square = self._parts(x)
        v = root**2 * square + noise**2
        gap = x[..., None] - root * means
        share = torch.softmax(weights.log() - 0.5 * v.log() - 0.5 * gap**2 / v, -1)
        centre = means + root * square / v * gap
        mean = (share * centre).sum(-1)
        return mean, (share * (square * noise**2 / v + (centre - mean[..., None]) ** 2)).sum(-1)

    def _parts(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, means, deviations = (like.new_tensor(v) for v in (self.weights, self.means, self.deviations))
        return weights, means, deviations**2

    def noise(self, schedule: NoiseSchedule, x: Tensor, t: Time) -> Tensor:
        """ε*(x_t) = −√β̄_t ∇ ln q_t(x_t) = (x_t − √ᾱ_t E[x₀ | x_t]) / √β̄_t, shaped like ``x``."""
        root, noise = schedule.scales(t, x.to(torch.float64))
        return (x - root * self.posterior(schedule, x, t)[0]) / noise

    def network(self, schedule: NoiseSchedule, prediction: str = "epsilon") -> Callable[[Tensor, Tensor], Tensor]:
        """The exact network: ``network(x_t, t)`` in the dtype of x_t, predicting "epsilon", "x0" or "v"."""

        def exact(x: Tensor, t: Tensor) -> Tensor:
            data = self.posterior(schedule, x, t)[0]
            root, spread = schedule.scales(t, data)
            noise = (x - root * data) / spread
            return {"epsilon": noise, "x0": data, "v": root * noise - spread * data}[prediction].to(x)

        return exact

    def denoising_error(self, schedule: NoiseSchedule, t: Time) -> Tensor:
        """mse_t = E Var[x₀ | x_t], by the trapezoid rule where there are several components; shaped like ``t``.

        The rule converges exponentially here; with 25 points for each narrowest deviation of x_t it is exact to about
        1e-13.
        """
        t = as_times(t, schedule.steps, first=1)
        if len(self.weights) == 1:
            square = self.deviations[0] ** 2
            return square * schedule.beta_bar(t) / (schedule.alpha_bar(t) * square + schedule.beta_bar(t))
        return torch.stack([self._error(schedule, int(time)) for time in t.flatten()]).reshape(t.shape)

    def _error(self, schedule: NoiseSchedule, t: int) -> Tensor:
        signal, noise = schedule.alpha_bar(t), schedule.beta_bar(t)
        weights, means, square = self._parts(signal)
        v = signal * square + noise
        centres, deviations = signal.sqrt() * means, v.sqrt()
        low, high = (centres - 12 * deviations).min(), (centres + 12 * deviations).max()
        x = torch.linspace(low, high, int((high - low) / deviations.min() * 25) + 1, dtype=torch.float64)
        density = (weights * torch.exp(-0.5 * ((x[:, None] - centres) / deviations) ** 2) / deviations).sum(-1)
        density = density / math.sqrt(2 * math.pi)
        return (density * self.posterior(schedule, x, t)[1]).sum() * (x[1] - x[0])


def gaussian_chain_variance(
    schedule: NoiseSchedule,
    trajectory: Sequence[int],
    data_variance: float,
    variance: Callable[[Tensor, Tensor], Tensor],
    eta: float = 1.0,
) -> Tensor:
    """The variance of x at the first time of ``trajectory`` when a chain runs backwards for Gaussian data; no sampling.

    The exact mean of a step is linear in x_t, so v ← c² v + σ², from v_N = ᾱ_N s² + β̄_N, with
    c = (√ᾱ_s √ᾱ_t s² + √((β̄_s − λ²) β̄_t)) / v_t. With the optimal σ² the result is the true variance of x_1 for every
    number of steps; with the small one it is too small, with the large one too large.

    Args:
        schedule: the noise schedule.
        trajectory: increasing times from 1 on.
        data_variance: s².
        variance: ``variance(s, t)`` is σ² of the steps from t to s, each a row of times.
        eta: of the mean: 1 is DDPM, 0 is DDIM.
    """
    check_eta(eta)
    if data_variance < 0:
        raise ValueError(f"data_variance must not be negative, got {data_variance}")
    times = torch.tensor(as_trajectory(trajectory, schedule.steps, allow_short=True))
    s, t = times[:-1], times[1:]
    total = schedule.alpha_bar(times) * data_variance + schedule.beta_bar(times)
    signal = (schedule.alpha_bar(s) * schedule.alpha_bar(t)).sqrt() * data_variance
    noise = (direction_variance(schedule, s, t, eta) * schedule.beta_bar(t)).sqrt()
    square, added = ((signal + noise) / total[1:]) ** 2, variance(s, t)
    v = total[-1]
    for k in reversed(range(len(s))):
        v = square[k] * v + added[k]
    return v
