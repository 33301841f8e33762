"""Whether codes of eight bits are rounded to nearest or by chance: Adam's second moment, and the loss, in both ways.

    python benchmarks/rounding.py                    # two minutes
    python benchmarks/rounding.py --task digits-mlp --seeds 3 --steps 1000

AdamW (β₂ = 0.999) trains in float32, and beside it the second moment of every weight is averaged from the same
gradients in 8 bits, in both roundings. Then AdamW trains with its whole state in 8 bits, in both.
"""

from __future__ import annotations

import argparse
from functools import partial
from statistics import fmean
from unittest.mock import patch

import torch
from torch import Tensor

import gradwright
from gradwright.core import policy
from gradwright.core.blockwise import Companded, SquareRoot
from gradwright.core.counter import key_of
from gradwright.study import tasks

ROUNDINGS = ("nearest", "stochastic")
BETA = 0.999
SMALL = 0.01
"""Entries whose root is less than this of the largest in their tensor are left out: they hold the smallest code."""


class Moment:
    """The second moment of some tensors, in float32 or in 8 bits."""

    def __init__(self, params: list[Tensor], rounding: str | None) -> None:
        self.storage = None if rounding is None else SquareRoot(rounding)
        zeros = [torch.zeros_like(param) for param in params]
        self.held = [(zero,) if self.storage is None else self.storage.encode(zero) for zero in zeros]
        self.time = 0

    def values(self) -> list[Tensor]:
        return [held[0] if self.storage is None else self.storage.decode(*held) for held in self.held]

    def take(self, grads: list[Tensor]) -> None:
        """v ← β v + (1 − β) g²."""
        self.time += 1
        for at, (value, grad) in enumerate(zip(self.values(), grads)):
            new = BETA * value + (1 - BETA) * grad * grad
            self.held[at] = (new,) if self.storage is None else self.storage.encode(new, key_of(at, self.time))


class Watched:
    """A run of AdamW.

    Args:
        task, seed: what it trains, from which weights, on which batches.
        state: how its state is held.
    """

    def __init__(self, task: str, seed: int, state: str = "float32") -> None:
        torch.manual_seed(seed)
        self.task = tasks.find(task)
        self.session = self.task.start(seed)
        self.params = list(self.session.model.parameters())
        self.optimizer = gradwright.AdamW(self.params, betas=(0.9, BETA), state=state)

    def train(self, steps: int, *watching: Moment) -> float:
        """Take steps, whose gradients moments take too; returns the metric on what it was not trained on."""
        for step in range(steps):
            self.optimizer.zero_grad()
            self.session.loss(step).backward()
            for moment in watching:
                moment.take([param.grad for param in self.params if param.grad is not None])
            self.optimizer.step()
        self.session.model.eval()
        with torch.no_grad():
            return float(self.session.evaluate()[self.task.metric.name])


def moments(task: str, seed: int, steps: int) -> dict[str, tuple[float, float, float]]:
    """For each rounding √(v₈ / v): below which 1 % of the entries are, below which half are, above which 1 % are."""
    run = Watched(task, seed)
    exact, *rounded = (Moment(run.params, name) for name in (None, *ROUNDINGS))
    run.train(steps, exact, *rounded)
    wanted = exact.values()
    counted = [value.sqrt() >= SMALL * value.max().sqrt() for value in wanted]
    found = {}
    for name, moment in zip(ROUNDINGS, rounded):
        kept = zip(moment.values(), wanted, counted)
        ratio = torch.cat([(value[chosen] / v[chosen]).sqrt() for value, v, chosen in kept])
        ends = (max(1, round(share * len(ratio))) for share in (0.01, 0.5, 0.99))
        low, middle, high = (float(ratio.kthvalue(end).values) for end in ends)
        found[name] = (low, middle, high)
    return found


def losses(task: str, seed: int, steps: int) -> dict[str, float]:
    """The loss of AdamW in float32, and in 8 bits in both roundings."""
    found = {"float32": Watched(task, seed).train(steps)}
    for name in ROUNDINGS:
        kinds = {"Companded": partial(Companded, name), "SquareRoot": partial(SquareRoot, name)}
        with patch.multiple(policy, **kinds):
            found[name] = Watched(task, seed, "8bit").train(steps)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits-mlp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    print("root of the second moment in 8 bits by the exact one: 1 % of the entries below, half below, 1 % above")
    every = [moments(arguments.task, seed, arguments.steps) for seed in range(arguments.seeds)]
    for name in ROUNDINGS:
        ends = (fmean(found[name][at] for found in every) for at in range(3))
        print(f"  {name:11} " + "  ".join(f"{end:6.3f}" for end in ends))
    print("loss after training with the whole state in 8 bits")
    ran = [losses(arguments.task, seed, arguments.steps) for seed in range(arguments.seeds)]
    for name in ("float32", *ROUNDINGS):
        print(f"  {name:11} {fmean(found[name] for found in ran):.4f}   " + " ".join(f"{r[name]:.4f}" for r in ran))


if __name__ == "__main__":
    main()
