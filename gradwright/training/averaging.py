"""Averages of other widths, mixed after training from those that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gradwright.optimizer.optimizer import Optimizer
from gradwright.transforms.weights.average import PowerFunction, WeightTrack, gamma_of_width, width_of_gamma


class PowerSnapshot(NamedTuple):
    """A power-function average at some step: what :func:`power_mixture` mixes.

    Attributes:
        step: how many steps it spans.
        sigma_rel: its width, relative to them.
        weights: one tensor for each parameter of the optimizer, in order.
    """

    step: float
    sigma_rel: float
    weights: list[Tensor]


def power_snapshots(optimizer: Optimizer) -> list[PowerSnapshot]:
    """Copies of the averages that ``power_averaged`` keeps, one for each width. Take some in the course of a run.

    Raises:
        ValueError: the optimizer keeps none, or its groups keep different ones.
    """
    found: dict[float, list[Tensor]] = {}
    steps: set[float] = set()
    count = 0
    for group in optimizer.param_groups:
        tracks = {
            name: link.window.gamma
            for name, link in optimizer.chain_of(group).children().items()
            if isinstance(link, WeightTrack) and isinstance(link.window, PowerFunction)
        }
        for param in group["params"]:
            state = optimizer.state[param]
            steps.add(state["step"])
            count += 1
            for name, gamma in tracks.items():
                found.setdefault(gamma, []).append(state[f"{name}.average"].clone())
    if not found or any(len(weights) != count for weights in found.values()):
        raise ValueError(
            "power_snapshots: every group needs the same power-function averages; build the optimizer with "
            "gradwright.power_averaged(recipe), its second_sigma_rel set"
        )
    return [PowerSnapshot(max(steps), width_of_gamma(gamma), weights) for gamma, weights in found.items()]


def power_mixture(
    snapshots: Sequence[PowerSnapshot], sigma_rel: float, step: float | None = None
) -> tuple[list[Tensor], list[float]]:
    """The average of another width, from snapshots of a run that is over (post-hoc EMA, arXiv:2312.02696).

    The profile of the wanted average is fitted by those of the snapshots in the least-squares sense: A x = b with the
    inner products of profiles, then x is scaled to sum to one. Coefficients may be large and of both signs, so
    snapshots are summed in float64.

    Args:
        snapshots: from :func:`power_snapshots`, of two widths at several steps.
        sigma_rel: the wanted width, in (0, 0.288].
        step: the step for which it is wanted; the last of the snapshots if not given.

    Returns:
        The weights, one tensor for each parameter, and the coefficients.

    Raises:
        ValueError: there are no snapshots, two are of the same step and width, or a width is out of range.
    """
    if not snapshots:
        raise ValueError("power_mixture: snapshots is empty; gather some with power_snapshots(optimizer)")
    profiles = [(snapshot.step, gamma_of_width(snapshot.sigma_rel)) for snapshot in snapshots]
    if len(set(profiles)) < len(profiles):
        raise ValueError("power_mixture: two snapshots have the same step and width; leave one of them out")
    wanted = (max(at for at, _ in profiles) if step is None else step, gamma_of_width(sigma_rel))
    a = torch.tensor(
        [[_inner(one, other) for other in profiles] for one in profiles], dtype=torch.float64, device="cpu"
    )
    b = torch.tensor([_inner(one, wanted) for one in profiles], dtype=torch.float64, device="cpu")
    x = torch.linalg.solve(a, b)
    x = (x / x.sum()).tolist()
    mixed = []
    for tensors in zip(*(snapshot.weights for snapshot in snapshots)):
        total = sum(c * tensor.double() for c, tensor in zip(x, tensors))
        assert isinstance(total, Tensor)
        mixed.append(total.to(tensors[0].dtype))
    return mixed, x


def _inner(one: tuple[float, float], other: tuple[float, float]) -> float:
    """∫ of the product of two profiles (γ + 1) τ^γ / t^(γ + 1), 0 ≤ τ ≤ t."""
    (ta, a), (tb, b) = one, other
    ratio = (ta / tb) ** b if ta < tb else (tb / ta) ** a
    return (a + 1) * (b + 1) * ratio / ((a + b + 1) * max(ta, tb))
