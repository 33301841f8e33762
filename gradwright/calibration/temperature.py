"""Temperature scaling: one number that makes confidence match accuracy and changes no decision."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gradwright.calibration.likelihood import Likelihood, SigmoidLikelihood, SoftmaxLikelihood
from gradwright.calibration.predictions import labels_along

_COLDEST, _HOTTEST = 0.01, 100.0
"""What stands in for a best T of 0 and for one that is infinite."""


class TemperatureFit(NamedTuple):
    """How a fit went.

    Attributes:
        temperature: T, a number, or one for each label.
        converged: whether the derivative vanished, for every label.
        iterations: steps taken.
        status: a sentence for each way in which it went, with the labels it is about.
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
    second derivative E[Var_p z]. The derivative at β = 0 and its limit for β → ∞ tell whether there is a best T above
    0 and below ∞. If so it is found, however large or small: by Newton's method inside a bracket, in float64.

    Args:
        kind: ``"softmax"`` for classes that exclude one another, ``"sigmoid"`` for independent labels, each of which
            gets a T of its own.
        dim: the dimension of the classes or labels. None: the last; for ``"sigmoid"`` with more than two dimensions it
            has to be given, but for images of one label, ``(batch, 1, height, width)``, which get one T.

    >>> scores = torch.tensor([4.0, 0.0]).repeat(4, 1)
    >>> scale = TemperatureScaling()
    >>> fit = scale.fit(scores, torch.tensor([0, 0, 0, 1]))
    >>> fit.converged, round(fit.temperature.item(), 4)
    (True, 3.641)
    """

    temperature: Tensor

    def __init__(self, kind: Literal["softmax", "sigmoid"] = "softmax", dim: int | None = None) -> None:
        super().__init__()
        if kind not in ("softmax", "sigmoid"):
            raise ValueError(f"kind={kind!r} is unknown; choose softmax or sigmoid")
        self.kind, self.dim = kind, dim
        self.register_buffer("temperature", torch.ones(1))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        if (saved := state_dict.get(f"{prefix}temperature")) is not None:  # one for each label, known after the fit
            self.temperature = torch.ones_like(saved, device=self.temperature.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits divided by T."""
        temperature = self.temperature.to(logits.dtype)
        if temperature.numel() == 1:
            return logits / temperature
        along = labels_along(logits, self.dim) if logits.dim() > 1 else -1
        return (logits.movedim(along, -1) / temperature).movedim(-1, along)

    @torch.no_grad()
    def fit(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        sample_weight: Tensor | None = None,
        ignore_index: int | None = -100,
        iterations: int = 100,
        tolerance: float = 1e-10,
    ) -> TemperatureFit:
        """Set T from held-out data.

        Args:
            logits: scores of C classes or labels along ``dim``.
            target: indices or probabilities; for ``"sigmoid"``, answers in [0, 1] of the same shape.
            sample_weight: weights ≥ 0 of samples.
            ignore_index: samples with this index have no part; of ``"sigmoid"``, answers, one by one.
            iterations: at most so many steps.
            tolerance: on the derivative in β, relative to the mean size of Σ p z and z_y.

        Returns:
            How it went. Where everything is right by a margin the best T is 0, and T is set to 0.01; where scores say
            nothing or less about the target it is infinite, and T is set to 100; where every T does the same, T is left
            at 1. Then ``converged`` is False and ``status`` says which.

        Raises:
            ValueError: no sample counts; a label whose logit is −inf, which no T makes possible; and as
                :func:`~gradwright.losses.cross_entropy`.
        """
        likelihood = SoftmaxLikelihood if self.kind == "softmax" else SigmoidLikelihood
        result = _solve(likelihood(logits, target, sample_weight, ignore_index, self.dim), iterations, tolerance)
        self.temperature = result.temperature.to(self.temperature)
        return result


def _solve(problem: Likelihood, iterations: int, tolerance: float) -> TemperatureFit:
    start, end = problem.at_zero(), problem.slope_at_infinity()
    before = problem.at(torch.ones_like(end)).value
    same = start.bend == 0
    cold = (end <= 0) & ~same
    hot = (start.slope >= -8 * torch.finfo(torch.float64).eps * start.size) & ~same & ~cold
    apart = same | cold | hot
    beta, settled, steps = torch.ones_like(before), torch.zeros_like(apart), 0
    low, high, last = torch.zeros_like(before), torch.full_like(before, torch.inf), torch.full_like(before, torch.inf)
    for steps in range(1, iterations + 1):  # noqa: B007  read after the loop
        now = problem.at(beta)
        settled = now.slope.abs() <= tolerance * now.size
        if bool((settled | apart).all()):
            break
        low, high = torch.where(now.slope < 0, beta, low), torch.where(now.slope > 0, beta, high)
        newton = beta - now.slope / now.bend.clamp(min=1e-300)
        fast = now.slope.abs() <= last / 2
        middle = torch.where(low == 0, high / 16, torch.where(high.isinf(), low * 16, low.sqrt() * high.sqrt()))
        step = torch.where((newton > low) & (newton < high) & fast, newton, middle)
        beta, last = torch.where(settled | apart, beta, step), now.slope.abs()
    beta = torch.where(cold, 1 / _COLDEST, torch.where(hot, 1 / _HOTTEST, torch.where(same, 1.0, beta)))
    after = problem.at(beta)
    found = settled & ~apart
    status = _status(
        {
            f"the derivative vanished after {steps} steps": found,
            "every T does the same, as no logits differ, so T is not determined; it was left at 1": same,
            f"every sample is right by a margin, so the best T is 0; it was set to {_COLDEST:g}": cold,
            "the scores say nothing about the target, or the opposite of it, so the best T is infinite; it was set to "
            f"{_HOTTEST:g}": hot,
            f"the derivative has not vanished within {steps} steps; give more iterations or a larger tolerance": ~(
                found | apart
            ),
        }
    )
    return TemperatureFit(1 / beta, bool(found.all()), steps, status, before, after.value, -beta * after.slope)


def _status(sentences: dict[str, Tensor]) -> str:
    """What is true of which label; of a single one, or of all, without a number."""
    said = []
    for sentence, which in sentences.items():
        if bool(which.all()):
            return sentence
        if bool(which.any()):
            places = ", ".join(str(int(k)) for k in which.nonzero()[:, 0])
            said.append(f"label {places}: {sentence}")
    return ". ".join(said)
