"""What averaged weights need after training: statistics of their own, and averages of other widths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gradwright.optimizer.optimizer import Optimizer
from gradwright.transforms.weights.average import PowerFunction, WeightTrack, gamma_of_width, width_of_gamma


@torch.no_grad()
def recompute_batch_norm(
    model: nn.Module,
    batches: Iterable[Any],
    optimizer: Optimizer | None = None,
    *,
    limit: int = 50,
    forward: Callable[[Any], Any] | None = None,
) -> int:
    """Make the running statistics of BatchNorm layers anew, for the weights that the model has now.

    They were gathered at the weights of training, so after a change to an average they belong to other weights:

        with optimizer.evaluating():
            recompute_batch_norm(model, loader, optimizer)
            accuracy = evaluate(model)

    Each layer's mean and variance become the plain mean over the batches. All other layers are in evaluation mode
    meanwhile, so that dropout does not disturb. Afterwards every module is in the mode it was in. Training may go on
    at once, as it does not use running statistics.

    Args:
        model: the model.
        batches: inputs, or tuples or lists whose first entry is the input; a data loader, say.
        optimizer: if given, it is checked that its evaluation weights are in place.
        limit: the most batches to use.
        forward: what to do with a batch instead of ``model(input)``: dictionaries, other devices, several inputs.

    Returns:
        How many layers were made anew.

    Raises:
        ValueError: there are no batches, or a batch is of a kind that needs ``forward``; the statistics are unchanged.
        RuntimeError: the optimizer averages weights and the average is not in place.
    """
    if optimizer is not None and _averages(optimizer) and not _in_place(optimizer):
        raise RuntimeError(
            "recompute_batch_norm: the model holds the weights of training; call it inside optimizer.evaluating(), or "
            "after optimizer.eval()"
        )
    if limit < 1:
        raise ValueError(f"recompute_batch_norm: limit={limit} must be at least 1")
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not layers:
        return 0
    with _gathering(model, layers):
        count = 0
        for batch in islice(batches, limit):
            model(_input(batch)) if forward is None else forward(batch)
            count += 1
        if not count:
            raise ValueError("recompute_batch_norm: batches is empty; a generator that was used before is exhausted")
    return len(layers)


def _averages(optimizer: Optimizer) -> bool:
    return any(optimizer.chain_of(group).evaluates for group in optimizer.param_groups)


def _in_place(optimizer: Optimizer) -> bool:
    stepped = [state for state in optimizer.state.values() if state.get("step")]
    return not stepped or any("training_weights" in state for state in stepped)


def _input(batch: Any) -> Tensor:
    found = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
    if not isinstance(found, Tensor):
        raise ValueError(
            f"recompute_batch_norm: a batch is a {type(batch).__name__}; give forward=, a function that calls the "
            "model on such a batch"
        )
    return found


@contextmanager
def _gathering(model: nn.Module, layers: Sequence[_BatchNorm]) -> Iterator[None]:
    """The layers gather plain means, all else is in evaluation mode; undone at an error, but for the modes."""
    modes = {module: module.training for module in model.modules()}
    before = [(layer.momentum, [buffer.clone() for buffer in layer.buffers(recurse=False)]) for layer in layers]
    model.eval()
    try:
        for layer in layers:
            layer.train()
            layer.reset_running_stats()
            layer.momentum = None  # type: ignore[assignment]
        yield
    except BaseException:
        for layer, (_, buffers) in zip(layers, before):
            for buffer, old in zip(layer.buffers(recurse=False), buffers):
                buffer.copy_(old)
        raise
    finally:
        for layer, (momentum, _) in zip(layers, before):
            layer.momentum = momentum
        for module, mode in modes.items():
            module.training = mode


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
