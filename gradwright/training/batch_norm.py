"""BatchNorm statistics of averaged weights, which are not those that training gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gradwright.optimizer.optimizer import Optimizer


@torch.no_grad()
def recompute_batch_norm(
    model: nn.Module,
    batches: Iterable[Any],
    optimizer: Optimizer | None = None,
    *,
    limit: int = 50,
    forward: Callable[[Any], Any] | None = None,
    layers: Sequence[_BatchNorm] | None = None,
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
        layers: which of the model's layers; all that keep running statistics if not given. Leave out those that were
            in evaluation mode during training: their statistics are fixed.

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
    layers = batch_norms(model) if layers is None else layers
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


@contextmanager
def recomputed_batch_norm(
    model: nn.Module,
    batches: Iterable[Any],
    optimizer: Optimizer | None = None,
    *,
    limit: int = 50,
    forward: Callable[[Any], Any] | None = None,
    layers: Sequence[_BatchNorm] | None = None,
) -> Iterator[int]:
    """:func:`recompute_batch_norm` for the time being: afterwards the statistics of training are back, bit for bit.

    For evaluations between steps, where training goes on with the statistics that it gathers for its own weights:

        with optimizer.evaluating(), recomputed_batch_norm(model, loader, optimizer):
            accuracy = evaluate(model)

    Args:
        model, batches, optimizer, limit, forward, layers: as for :func:`recompute_batch_norm`.

    Yields:
        How many layers were made anew.

    Raises:
        ValueError, RuntimeError: as for :func:`recompute_batch_norm`.
    """
    kept = [(layer, [buffer.clone() for buffer in layer.buffers(recurse=False)]) for layer in batch_norms(model)]
    try:
        yield recompute_batch_norm(model, batches, optimizer, limit=limit, forward=forward, layers=layers)
    finally:
        with torch.no_grad():
            for layer, buffers in kept:
                for buffer, old in zip(layer.buffers(recurse=False), buffers):
                    buffer.copy_(old)


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The BatchNorm layers of a model that keep running statistics."""
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]


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
