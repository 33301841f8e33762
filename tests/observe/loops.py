"""A small training loop with a watch, and ways to go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.observe import Watch


def network(act: type[nn.Module] = nn.ReLU, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    middle = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(nn.Linear(12, 32), act(), *middle, nn.Linear(32, 32), act(), nn.Linear(32, 4))


def batches(count: int, size: int = 32) -> list[tuple[Tensor, Tensor]]:
    """Classes that a linear model tells apart."""
    draw = torch.Generator().manual_seed(1)
    rule = torch.randn(12, 4, generator=draw)
    inputs = [torch.randn(size, 12, generator=draw) for _ in range(count)]
    return [(x, (x @ rule).argmax(1)) for x in inputs]


def train(
    model: nn.Module,
    optimizer: Any,
    steps: int = 40,
    *,
    clears: bool = True,
    factor: float = 1.0,
    scale: float = 1.0,
    told: bool = True,
    after: Callable[[Watch, int], Any] | None = None,
    **options: Any,
) -> Watch:
    """Train, watched."""
    watch = Watch(model, optimizer, **options)
    optimizers = [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else list(optimizer)
    for step, (x, y) in enumerate(batches(steps)):
        outputs = model((factor * x).to(next(model.parameters()).dtype))
        loss = nn.functional.cross_entropy(outputs.float(), y)
        for each in optimizers if clears else ():
            each.zero_grad()
        (loss * scale).backward()
        for each in optimizers:
            each.step()
        watch.step(loss, **({"outputs": outputs, "targets": y} if told else {}))
        if after is not None:
            after(watch, step)
    return watch
