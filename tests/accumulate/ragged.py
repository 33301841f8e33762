"""A ragged batch and a small model, the same in every process."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

CLASSES, WIDTH = 5, 4


def model(dtype: torch.dtype = torch.float64) -> nn.Module:
    net, stream = nn.Sequential(nn.Linear(WIDTH, 6), nn.Tanh(), nn.Linear(6, CLASSES)), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for param in net.parameters():
            param.copy_(torch.randn(param.shape, generator=stream))
    return net.to(dtype)


def micro_batches(count: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> list[tuple[Tensor, Tensor]]:
    """Inputs (batch, time, width) and labels (batch, time), of which a different share is ignored in each."""
    stream = torch.Generator().manual_seed(seed)
    found = []
    for index in range(count):
        rows, length = 1 + index % 3, 2 + 3 * (index % 4)
        inputs = torch.randn(rows, length, WIDTH, generator=stream, dtype=torch.float64).to(dtype)
        labels = torch.randint(CLASSES, (rows, length), generator=stream)
        hidden = torch.rand(rows, length, generator=stream) < 0.2 * (index % 4)
        found.append((inputs, labels.masked_fill(hidden, -100)))
    return found


def loss_sum(net: nn.Module, inputs: Tensor, labels: Tensor, shift: bool = False) -> Tensor:
    logits = net(inputs)
    if shift:
        logits, labels = logits[:, :-1], labels[:, 1:]
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")


def large_batch(batches: list[tuple[Tensor, Tensor]], shift: bool = False) -> tuple[list[Tensor], float]:
    """Gradients and loss of all micro-batches as one batch: every target once, equally."""
    net = model(batches[0][0].dtype)
    inputs, labels = [], []
    for x, y in batches:
        for row in range(x.shape[0]):
            inputs.append(x[row, :-1] if shift else x[row])
            labels.append(y[row, 1:] if shift else y[row])
    logits = net(torch.cat(inputs))
    loss = cross_entropy(logits, torch.cat(labels), ignore_index=-100)
    loss.backward()
    return [param.grad for param in net.parameters()], loss.item()


def furthest(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest relative error of a tensor."""
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(found, expected))
