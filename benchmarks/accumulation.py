"""Is an accumulated gradient that of the large batch?

    python benchmarks/accumulation.py        # seconds

32 sequences of different lengths through the study's small GPT, as 1 batch and as 2 to 32 micro-batches of neighbours:
the relative error of the gradient, with ``gradwright.training.accumulate.Window``, which counts tokens, and with the
mean of means that a loop makes which divides each loss by the number of micro-batches.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from untuned.tables import Table

from gradwright.study.record.environment import environment
from gradwright.study.tasks.gpt import GPT, Shape
from gradwright.training.accumulate import Window, count_targets

SEQUENCES, LONGEST, PARTS = 32, 64, (1, 2, 4, 8, 16, 32)
RESULTS = Path(__file__).with_name("results") / "accumulation.json"


def batch(ragged: bool) -> tuple[Tensor, Tensor]:
    """Bytes and the ones to guess, (32, 64); beyond the end of a sequence nothing counts."""
    stream = torch.Generator().manual_seed(0)
    inputs = torch.randint(256, (SEQUENCES, LONGEST), generator=stream)
    labels = torch.randint(256, (SEQUENCES, LONGEST), generator=stream)
    lengths = torch.randint(2, LONGEST + 1, (SEQUENCES, 1), generator=stream) if ragged else LONGEST
    return inputs, labels.masked_fill(torch.arange(LONGEST) >= lengths, -100)


def loss(model: nn.Module, inputs: Tensor, labels: Tensor, reduction: str) -> Tensor:
    return cross_entropy(model(inputs).flatten(0, 1), labels.flatten(), ignore_index=-100, reduction=reduction)


def by_window(model: nn.Module, parts: Sequence[tuple[Tensor, Tensor]]) -> None:
    window = Window(model.parameters())
    for inputs, labels in parts:
        window.backward(loss(model, inputs, labels, "sum"), count_targets(labels))
    window.close()


def by_means(model: nn.Module, parts: Sequence[tuple[Tensor, Tensor]]) -> None:
    for inputs, labels in parts:
        (loss(model, inputs, labels, "mean") / len(parts)).backward()


def gradient(accumulate: Callable, count: int, ragged: bool, dtype: torch.dtype) -> Tensor:
    torch.manual_seed(0)
    model = GPT(Shape()).to(dtype)
    inputs, labels = batch(ragged)
    accumulate(model, list(zip(inputs.chunk(count), labels.chunk(count))))
    return torch.cat([param.grad.flatten() for param in model.parameters()]).double()


def error(accumulate: Callable, count: int, ragged: bool) -> float:
    """Against the large batch in float64."""
    exact = gradient(by_means, 1, ragged, torch.float64)
    return float((gradient(accumulate, count, ragged, torch.float32) - exact).norm() / exact.norm())


def table(errors: Mapping[str, Sequence[float]]) -> Table:
    rows = tuple((name, *(f"{each:.1e}" for each in row)) for name, row in errors.items())
    head = ("", *(f"{count} parts" if count > 1 else "whole" for count in PARTS))
    return Table("Relative error of the gradient in float32", head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    errors = {
        name: [error(how, count, ragged) for count in PARTS]
        for name, how, ragged in (
            ("`Window`, equal lengths", by_window, False),
            ("`Window`, lengths from 2 to 64", by_window, True),
            ("mean of means, lengths from 2 to 64", by_means, True),
        )
    }
    print(table(errors).markdown())
    given.out.write_text(json.dumps({"environment": environment(), "parts": PARTS, "errors": errors}, indent=1) + "\n")


if __name__ == "__main__":
    main()
