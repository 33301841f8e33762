"""One run: what it trains, on what, how; and the loop. A fault is a change to one of these."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

import gradwright as gw
from benchmarks.sick import data as datasets
from benchmarks.sick.data import Data
from benchmarks.sick.models import GPT, VAE, ConvNet, mlp, vae_loss
from gradwright.observe import Finding, Watch, diagnose

KINDS = ("mlp", "digits", "conv", "gpt", "vae", "curve")
"""What can be trained."""

OPTIMIZERS = ("torch.AdamW", "torch.SGD", "AdamW", "SGD", "Lion", "Muon", "torch.Adam")

RATES = {"AdamW": 3e-3, "Adam": 3e-3, "SGD": 0.05, "Lion": 5e-4, "Muon": 0.02}


@dataclass
class Setup:
    """A run before it starts; faults change fields.

    Attributes:
        model, data, loss: what is trained on what; ``loss(outputs, targets)``.
        optimizer: by name, as in ``OPTIMIZERS``; ``make`` makes something else of the model.
        lr: learning rate.
        options: other hyper-parameters.
        batch, steps: samples in a batch, and batches.
        schedule: makes a scheduler of the optimizer, stepped each batch.
        clip: max norm.
        scale: factor of the loss that goes backward.
        scaler: a gradient scaler.
        accumulate: micro-batches of a step.
        clears: whether gradients are cleared.
        order: yields indices of samples for batches; shuffled epochs if None.
        change: changes a batch.
        validate: every so many steps; 0: never.
        evaluates: how the model is put into evaluation mode: "eval", "train", or "averaged" weights and eval.
        tells: whether outputs and targets are told to the watch.
        before: called with the model and the optimizers before the first step.
    """

    model: nn.Module
    data: Data
    loss: Callable[[Any, Tensor], Tensor]
    optimizer: str = "torch.AdamW"
    make: Callable[[nn.Module], Any] | None = None
    lr: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)
    batch: int = 32
    steps: int = 120
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None
    clip: float = 0.0
    scale: float = 1.0
    scaler: Any = None
    accumulate: int = 1
    clears: bool = True
    order: Callable[[], Iterator[Tensor]] | None = None
    change: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]] | None = None
    validate: int = 0
    evaluates: str = "eval"
    tells: bool = True
    before: Callable[[nn.Module, list[torch.optim.Optimizer]], None] | None = None
    every: int = 10


def base(kind: str, optimizer: str, seed: int, *, size: float = 1.0, steps: int = 120) -> Setup:
    """A healthy run.

    Args:
        kind: of ``KINDS``.
        optimizer: of ``OPTIMIZERS``.
        seed: of weights, data and order.
        size: factor of the widths.
        steps: batches.
    """
    torch.manual_seed(seed)
    width = int(64 * size)
    wide = nnf.cross_entropy
    made: tuple[nn.Module, Data, Callable]
    if kind == "mlp":
        made = mlp([24, width, width, 10]), datasets.teacher(seed), wide
    elif kind == "digits":
        made = mlp([64, width, width, 10], nn.Tanh if seed % 2 else nn.GELU), datasets.digits(seed), wide
    elif kind == "conv":
        made = ConvNet(int(16 * size)), datasets.digits(seed, flat=False), wide
    elif kind == "gpt":
        found = datasets.text(seed)
        made = GPT(found.classes, width=int(32 * size)), found, lambda o, y: wide(o.flatten(0, 1), y.flatten())
    elif kind == "vae":
        found = datasets.digits(seed)
        made = VAE(width=width), Data(found.x, found.x, found.held_x, found.held_x, 0), vae_loss
    else:
        made = mlp([8, width, width, 1], nn.SiLU), datasets.curve(seed), nnf.mse_loss
    lr = RATES[optimizer.removeprefix("torch.")] * (0.02 if kind == "vae" and optimizer.endswith("SGD") else 1)
    if kind == "gpt" and optimizer.endswith("SGD"):
        lr *= 6
    return Setup(*made, optimizer=optimizer, lr=lr, steps=steps, batch=16 if kind == "gpt" else 32)


def optimizers_of(setup: Setup) -> list[torch.optim.Optimizer]:
    """What steps the model; Muon has the matrices between the ends, and AdamW the rest."""
    if setup.make is not None:
        made = setup.make(setup.model)
        return made if isinstance(made, list) else [made]
    params, name = list(setup.model.parameters()), setup.optimizer
    if name == "Muon":
        inner = [p for p in params if p.dim() >= 2][1:-1]
        rest = [p for p in params if all(p is not other for other in inner)]
        if inner:
            return [gw.Muon(inner, lr=setup.lr, **setup.options), gw.AdamW(rest, lr=0.15 * setup.lr)]
        return [gw.AdamW(rest, lr=0.15 * setup.lr)]
    options = {"momentum": 0.9, **setup.options} if name.endswith("SGD") else setup.options
    kind = getattr(torch.optim, name.removeprefix("torch.")) if name.startswith("torch.") else getattr(gw, name)
    return [kind(params, lr=setup.lr, **options)]


def train(setup: Setup, seed: int) -> Watch:
    """Run it, watched."""
    torch.manual_seed(seed)
    random.seed(seed)
    optimizers = optimizers_of(setup)
    if setup.before is not None:
        setup.before(setup.model, optimizers)
    watch = Watch(setup.model, optimizers, every=setup.every, scaler=setup.scaler)
    schedulers = [setup.schedule(optimizer) for optimizer in optimizers] if setup.schedule else []
    order = (setup.order or (lambda: shuffled(len(setup.data.x), setup.batch, seed)))()
    for step in range(setup.steps):
        for micro in range(setup.accumulate):
            outputs, loss, y = _backward(setup, next(order), step, optimizers if micro == 0 else [])
        _advance(setup, optimizers)
        for scheduler in schedulers:
            scheduler.step()
        told = {"outputs": outputs, "targets": y} if setup.tells else {}
        watch.step(loss.detach(), **told)
        if setup.validate and (step + 1) % setup.validate == 0:
            watch.validation(evaluate(setup, optimizers))
    return watch


def _backward(
    setup: Setup, index: Tensor, step: int, optimizers: list[torch.optim.Optimizer]
) -> tuple[Any, Tensor, Tensor]:
    x, y = setup.data.x[index], setup.data.y[index]
    if setup.change is not None:
        x, y = setup.change(x, y, step)
    outputs = setup.model(x)
    loss = setup.loss(outputs, y)
    for optimizer in optimizers if setup.clears else ():
        optimizer.zero_grad()
    scaled = loss * setup.scale / setup.accumulate
    (scaled if setup.scaler is None else setup.scaler.scale(scaled)).backward()
    return outputs, loss, y


def _advance(setup: Setup, optimizers: list[torch.optim.Optimizer]) -> None:
    if setup.scaler is not None:
        for optimizer in optimizers:
            setup.scaler.step(optimizer)
        setup.scaler.update()
        return
    if setup.clip:
        nn.utils.clip_grad_norm_(setup.model.parameters(), setup.clip)
    for optimizer in optimizers:
        optimizer.step()


@torch.no_grad()
def evaluate(setup: Setup, optimizers: list[torch.optim.Optimizer]) -> float:
    """The validation loss."""
    if setup.evaluates == "averaged":
        with optimizers[0].evaluating():  # type: ignore[attr-defined]
            return _validation_loss(setup)
    return _validation_loss(setup)


def _validation_loss(setup: Setup) -> float:
    setup.model.train(setup.evaluates == "train")
    found = float(setup.loss(setup.model(setup.data.held_x), setup.data.held_y))
    setup.model.train()
    return found


def shuffled(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Batches of shuffled epochs."""
    draw = torch.Generator().manual_seed(seed + 1)
    while True:
        order = torch.randperm(count, generator=draw)
        yield from order[: max(1, count // batch) * batch].split(min(batch, count))


def sorted_batches(y: Tensor, batch: int) -> Iterator[Tensor]:
    """Batches in the order of the targets, over and over."""
    order = y.flatten(1)[:, 0].argsort() if y.dim() > 1 else y.argsort()
    while True:
        yield from order[: max(1, len(order) // batch) * batch].split(batch)


@dataclass(frozen=True)
class Case:
    """One run of the benchmark.

    Attributes:
        name: of the fault and its base.
        cause: the name of the true cause; "" for a healthy run.
        seed: of everything.
        make: the setup.
        mild: whether the fault is a mild one.
    """

    name: str
    cause: str
    seed: int
    make: Callable[[], Setup]
    mild: bool = False


@dataclass(frozen=True)
class Result:
    """What was found in a run."""

    case: Case
    findings: list[Finding]

    @property
    def causes(self) -> list[str]:
        return [finding.cause.name for finding in self.findings]

    @property
    def warned(self) -> bool:
        return any(finding.severity > 0 for finding in self.findings)

    @property
    def place(self) -> int:
        """Of the true cause among the findings, from 1; 0 where it is missing."""
        return self.causes.index(self.case.cause) + 1 if self.case.cause in self.causes else 0


def run(case: Case, records: Path | None = None) -> Result:
    """Train and diagnose.

    Args:
        case: which one.
        records: a folder where its record is kept, and taken from if it is there already.
    """
    kept = None if records is None else records / f"{case.name.replace(' ', '_')}_{case.seed}.pickle"
    if kept is not None and kept.is_file():
        return Result(case, diagnose(pickle.loads(kept.read_bytes())))
    watch = train(case.make(), case.seed)
    record = watch.record()
    watch.close()
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(record))
    return Result(case, diagnose(record))
