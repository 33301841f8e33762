"""Temperature scaling: one number that makes confidence match accuracy and changes no decision."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gradwright.calibration.predictions import distributions, independent

_LOWEST, _HIGHEST = 0.01, 100.0


class TemperatureFit(NamedTuple):
    """How a fit went.

    Attributes:
        temperature: T, a number, or one for each label.
        converged: whether the derivative vanished inside the bounds.
        iterations: steps taken.
        status: a sentence.
        nll_before, nll_after: the mean negative log-likelihood at T = 1 and at T.
        gradient: the derivative of the mean negative log-likelihood in ln T, where it stopped.
    """

    temperature: Tensor
    converged: bool
    iterations: int
    status: str
    nll_before: Tensor
    nll_after: Tensor
    gradient: Tensor


class TemperatureScaling(nn.Module):
    """z / T, with T fitted on held-out data by maximum likelihood.

    The negative log-likelihood is convex in β = 1 / T: with p = softmax(βz), its derivative is E[Σ p z − z_y] and its
    second derivative E[Var_p z]. Newton's method in β finds the zero inside a bracket, in float64; a step that leaves
    the bracket is replaced by its geometric middle. T stays in [0.01, 100].

    Args:
        kind: ``"softmax"`` for classes that exclude one another, ``"sigmoid"`` for independent labels, each of which
            gets a T of its own.

    >>> scores = torch.tensor([4.0, 0.0]).repeat(4, 1)
    >>> scale = TemperatureScaling()
    >>> fit = scale.fit(scores, torch.tensor([0, 0, 0, 1]))
    >>> fit.converged, round(fit.temperature.item(), 4)
    (True, 3.641)
    """

    temperature: Tensor

    def __init__(self, kind: Literal["softmax", "sigmoid"] = "softmax") -> None:
        super().__init__()
        if kind not in ("softmax", "sigmoid"):
            raise ValueError(f"kind={kind!r} is unknown; choose softmax or sigmoid")
        self.kind = kind
        self.register_buffer("temperature", torch.ones(1))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        if (saved := state_dict.get(f"{prefix}temperature")) is not None:  # one for each label, known after the fit
            self.temperature = torch.ones_like(saved, device=self.temperature.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits divided by T."""
        return logits / self.temperature.to(logits.dtype)

    @torch.no_grad()
    def fit(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        sample_weight: Tensor | None = None,
        ignore_index: int | None = -100,
        iterations: int = 60,
        tolerance: float = 1e-10,
    ) -> TemperatureFit:
        """Set T from held-out data.

        Args:
            logits: ``(..., C)``.
            target: indices or probabilities; for ``"sigmoid"``, answers in [0, 1] of the same shape.
            sample_weight: weights ≥ 0 of samples.
            ignore_index: samples with this index have no part.
            iterations: at most so many steps.
            tolerance: on the derivative in ln T, relative to the mean size of Σ p z and z_y.

        Returns:
            How it went. Where everything is right by a margin the best T is 0, and where scores say less than
            nothing it is infinite: then T is the bound and ``converged`` is False.

        Raises:
            ValueError: no sample counts; and as :func:`~gradwright.losses.cross_entropy`.
        """
        problem = _Softmax if self.kind == "softmax" else _Sigmoid
        result = _solve(problem(logits, target, sample_weight, ignore_index), iterations, tolerance)
        self.temperature = result.temperature.to(self.temperature)
        return result


class _Problem:
    """Mean negative log-likelihood of K independent problems at β, ``(K,)``."""

    def at(self, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Value, first and second derivative in β, and the size of what cancels in the first."""
        raise NotImplementedError


class _Softmax(_Problem):
    def __init__(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None, ignore_index: int | None) -> None:
        # log-softmax keeps differences of logits, which is all that counts
        self.z, self.q, weight = distributions(
            logits, target, logits=True, sample_weight=sample_weight, ignore_index=ignore_index, log=True
        )
        self.share = _shares(weight)
        self.z = self.z.nan_to_num(neginf=-1e30)

    def at(self, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        log_p = torch.log_softmax(beta * self.z, -1)
        p = log_p.exp()
        mean = (p * self.z).sum(-1)
        own = (self.q * self.z).sum(-1)
        spread = (p * (self.z - mean.unsqueeze(-1)) ** 2).sum(-1)
        value = -(self.q * torch.where(self.q == 0, 0.0, log_p)).sum(-1)
        each = torch.stack([value, mean - own, spread, mean.abs() + own.abs()])
        return tuple((each * self.share).sum(-1, keepdim=True))


class _Sigmoid(_Problem):
    def __init__(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None, ignore_index: int | None) -> None:
        self.s, self.y, weight = independent(
            logits, target, "multilabel", sample_weight=sample_weight, ignore_index=ignore_index
        )
        self.share = _shares(weight).unsqueeze(-1)

    def at(self, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scaled = beta * self.s
        p = torch.sigmoid(scaled)
        value = torch.nn.functional.softplus(scaled) - self.y * scaled
        each = torch.stack([value, (p - self.y) * self.s, p * (1 - p) * self.s**2, (p + self.y) * self.s.abs()])
        return tuple((each * self.share).sum(1))


def _shares(weight: Tensor) -> Tensor:
    if weight.numel() == 0:
        raise ValueError("logits: no sample counts, so there is nothing to fit a temperature to")
    return weight / weight.sum()


def _solve(problem: _Problem, iterations: int, tolerance: float) -> TemperatureFit:
    before = problem.at(torch.ones(1, dtype=torch.float64))[0]
    low = torch.full_like(before, 1 / _HIGHEST)
    high = torch.full_like(before, 1 / _LOWEST)
    cold, hot = problem.at(high)[1] <= 0, problem.at(low)[1] >= 0
    beta, steps = torch.ones_like(before), 0
    settled = torch.zeros_like(cold)
    for steps in range(1, iterations + 1):  # noqa: B007  read after the loop
        _, slope, bend, size = problem.at(beta)
        settled = slope.abs() <= tolerance * size
        low, high = torch.where(slope < 0, beta, low), torch.where(slope > 0, beta, high)
        if bool((settled | cold | hot).all()):
            break
        newton = beta - slope / bend.clamp(min=1e-300)
        inside = (newton > low) & (newton < high)
        beta = torch.where(settled, beta, torch.where(inside, newton, (low * high).sqrt()))
    beta = torch.where(cold, 1 / _LOWEST, torch.where(hot, 1 / _HIGHEST, beta))
    after, slope, _, _ = problem.at(beta)
    inside = settled & ~cold & ~hot
    converged = bool(inside.all())
    if converged:
        status = f"the derivative vanished after {steps} steps"
    elif bool(cold.any()):
        status = f"every sample is right by a margin, so the best T is 0; it was stopped at {_LOWEST:g}"
    elif bool(hot.any()):
        status = f"the scores say nothing about the target, so the best T is infinite; it was stopped at {_HIGHEST:g}"
    else:
        status = f"the derivative has not vanished within {steps} steps; give more iterations or a larger tolerance"
    return TemperatureFit(1 / beta, converged, steps, status, before, after, -beta * slope)
