"""Measure a denoiser's error from its network and a data loader, in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.estimator import DenoisingErrorEstimator, Network
from gradwright.diffusion.prediction import Prediction
from gradwright.diffusion.schedule import NoiseSchedule
from gradwright.diffusion.sources import Per


def estimate_denoising_error(
    network: Network,
    loader: Iterable[Any],
    schedule: NoiseSchedule,
    *,
    times: Sequence[int] | Tensor | None = None,
    source: str = "residual",
    per: Per = "scalar",
    prediction: Prediction = "epsilon",
    samples: int | None = None,
    conditional: bool = False,
    device: torch.device | str | None = None,
    seed: int = 0,
) -> DenoisingError:
    """mse_t = E‖x₀ − x̂₀(x_t)‖² / d of a network on data: the one measurement behind every optimal variance.

    One pass over the loader, one call of the network for each batch and time. A few hundred images are enough for one
    scalar a time; the result says how sure it is (``standard_error``).

    Args:
        network: ``network(x_t, t)`` with t (B,) in 1 ... N; put into eval mode for the time being if it is a module.
        loader: batches of data (B, ...), or tuples that begin with them.
        schedule, times, source, per, prediction, seed: as for :class:`DenoisingErrorEstimator`.
        samples: stop after this many; None for all that the loader gives.
        conditional: hand the rest of each tuple to the network, ``network(x_t, t, *rest)``.
        device: where the batches are moved; None leaves them.

    Raises:
        ValueError: the network returns another shape, NaN or infinity, or the loader is empty.
        TypeError: a batch neither is a tensor nor begins with one, or what the network is handed is none.

    Reference: arXiv:2201.06503 (source="noise_power"), arXiv:2206.07309 (the residual, there by a second head).

    Example:
        >>> from gradwright.diffusion import closed_form
        >>> schedule, toy = NoiseSchedule.linear(100), closed_form.GaussianMixture.single(mean=0.0, deviation=0.5)
        >>> batches = toy.sample(4000, 8).split(500)
        >>> error = estimate_denoising_error(toy.network(schedule), batches, schedule, times=[1, 50, 100])
        >>> (error.mse / toy.denoising_error(schedule, error.times) - 1).abs().max() < 0.02
        tensor(True)
    """
    if samples is not None and samples < 2:
        raise ValueError(f"samples must be at least 2, got {samples}")
    estimator = DenoisingErrorEstimator(schedule, times=times, source=source, per=per, prediction=prediction, seed=seed)
    with evaluating(network):
        for batch in loader:
            data, *rest = _parts(batch, conditional)
            keep = len(data) if samples is None else min(len(data), samples - estimator.count)
            data, *rest = (part[:keep].to(device or part.device) for part in (data, *(rest if conditional else ())))
            estimator.update(network, data, *rest)
            if estimator.count == samples:
                break
    if not estimator.count:
        raise ValueError("loader gave no batch; an iterator that was read once is empty, pass the loader itself")
    return estimator.result()


def _parts(batch: Any, conditional: bool) -> Sequence[Tensor]:
    """The data of a batch and what comes with it."""
    parts = batch if isinstance(batch, (tuple, list)) else (batch,)
    for part in parts if conditional else parts[:1]:
        if not isinstance(part, Tensor):
            kind = f"dict with the keys {', '.join(map(repr, part))}" if isinstance(part, dict) else type(part).__name__
            raise TypeError(
                f"loader gave a {kind}; a batch must be a tensor of data, or a tuple of tensors that begins with it: "
                'give ((batch["images"], batch["labels"]) for batch in loader), say'
            )
    if not parts:
        raise TypeError("loader gave an empty batch; it must be a tensor of data, or a tuple that begins with one")
    return parts


@contextlib.contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """The network in eval mode, and every part of it back in its own mode afterwards."""
    training = [part for part in network.modules() if part.training] if isinstance(network, nn.Module) else []
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True
