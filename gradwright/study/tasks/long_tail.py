"""The long tail of a classifier's gradients, and what is left of it with a loss that counts every class alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradwright.observe import Histogram, Record, Watch
from gradwright.study.tasks.task import Session, Task

STEPS, LR = 200, 1e-3


def long_tail(task: Task, seed: int) -> dict[str, Any]:
    """Two short trainings by AdamW from the same weights on the same batches: by the cross-entropy, in which rare
    classes starve, and by the cross-entropy with the weights n / (K n_k) of classes that occur n_k times.

    Args:
        task: its sessions have batches and counts of their classes.
        seed: of the sessions.

    Returns:
        Plain numbers: ``layer``, the parameter whose gradients are looked at, the output layer's; ``steps``; and
        ``runs``, of each its ``name``; of the first and of the last step ``histograms`` (zero, negative, positive),
        ``tail``, the share of Σ g² in the largest 1 % of the entries, and ``kurtosis``; and its ``metrics``.
    """
    runs = [_run(task.begin(seed), name, loss) for name, loss in LOSSES.items()]
    return {"layer": runs[0].pop("layer"), "steps": STEPS, "runs": runs}


def _plain(outputs: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    return cross_entropy(outputs, target)


def _balanced(outputs: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    weight = counts.sum() / (len(counts) * counts.clamp(min=1.0))
    return (weight[target] * cross_entropy(outputs, target, reduction="none")).mean()


LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"cross-entropy": _plain, "balanced": _balanced}


def _run(session: Session, name: str, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> dict[str, Any]:
    assert session.batch is not None, "the task was chosen for it"
    assert session.class_counts is not None, "and for these"
    counts = session.class_counts.float()
    optimizer = torch.optim.AdamW(session.model.parameters(), lr=LR)
    with Watch(session.model, optimizer, every=STEPS, activations=False) as watch:
        for step in range(STEPS):
            optimizer.zero_grad()
            value = loss(*session.batch(step), counts)
            value.backward()
            optimizer.step()
            watch.step(value)
        record = watch.record()
    with torch.no_grad():
        session.model.eval()
        metrics = {key: float(found) for key, found in session.evaluate().items()}
    return {"name": name, "metrics": metrics, **_tails(record)}


def _tails(record: Record) -> dict[str, Any]:
    """Of the output layer: the last parameter that is a matrix."""
    layer = [name for name, held in record.parameters.items() if len(held.shape) > 1][-1]
    ends = (record.windows[0].parameters[layer], record.windows[-1].parameters[layer])
    kept = (record.histograms[0].gradients[layer], record.histograms[-1].gradients[layer])
    return {
        "layer": layer,
        "histograms": [[found.zero, list(found.negative), list(found.positive)] for found in kept],
        "tail": [found.tail for found in ends],
        "kurtosis": [found.kurtosis for found in ends],
    }


def histogram(numbers: list[Any]) -> Histogram:
    """A histogram from its plain numbers."""
    zero, negative, positive = numbers
    return Histogram(tuple(negative), zero, tuple(positive))
