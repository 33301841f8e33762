"""The rows of the table, a function for each kind of work."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any
from unittest.mock import patch

import rivals
import torch
from plain_muon import PlainMuon, newton_schulz
from planned import bar_for, bytes_per_number, is_planned, read_and_written
from row import Row
from shapes import FULL, SMOKE, Sets, Shape, backward, numbers, parameters
from timing import Call, interleaved
from torch import Tensor

import gradwright
from gradwright.engine.cpp.bound import CppKernel
from gradwright.engine.triton import launch
from gradwright.native import build
from gradwright.optimizer.recipe import registry

ADAMW_BYTES = 28
"""What a step of AdamW reads and writes for each number in float32: p, g, m, v and p, m, v again."""


@dataclass(frozen=True)
class Bench:
    """How to measure.

    Attributes:
        rounds: how often each call is timed.
        device: ``cpu`` or ``cuda``.
        smoke: small tensors, to see that everything runs.
        only: words of which a row's name has to hold one, if there are any.
    """

    rounds: int = 9
    device: str = "cpu"
    smoke: bool = False
    only: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        return not self.only or any(word in name for word in self.only)

    @property
    def sets(self) -> Sets:
        return SMOKE if self.smoke else FULL

    def params(self, shapes: list[Shape], dtype: torch.dtype = torch.float32) -> list[Tensor]:
        gc.collect()  # what the row before left behind
        return parameters(shapes, self.device, dtype)

    def time(self, calls: dict[str, Call], before: Call | None = None) -> dict[str, float]:
        return interleaved(calls, self.rounds, self.device, before)


Suite = Callable[[Bench], Iterator[Row]]
SUITES: list[Suite] = []
"""Every suite, in the order of the table."""


def suite(function: Suite) -> Suite:
    SUITES.append(function)
    return function


def torch_adamw(params: list[Tensor]) -> torch.optim.AdamW:
    """The yardstick of all others."""
    return torch.optim.AdamW(params, fused=True)


def stepping(optimizer: Any) -> Call:
    """A step, with the loss where the recipe asks for it."""
    chain = getattr(type(optimizer), "chain", None)
    if chain is not None and "loss" in chain().all_needs:
        return lambda: optimizer.step(loss=1.0)
    return optimizer.step


def beside_adamw(bench: Bench, params: list[Tensor], ours: Any, before: Any = None) -> tuple[float, float, float]:
    """Seconds of our step and of torch's fused AdamW on the same tensors, and the latter's bytes in a second."""
    calls = {"torch": torch_adamw(params).step, "ours": stepping(ours)}
    best = bench.time(calls, before)
    moved = ADAMW_BYTES * sum(param.numel() for param in params)
    return best["ours"], best["torch"], moved / best["torch"]


@suite
def adamw(bench: Bench) -> Iterator[Row]:
    """AdamW beside torch's fused AdamW."""
    sets = bench.sets
    for name, shapes, bar in (("large", sets.large, 1.0), ("gpt", sets.gpt, 1.0), ("many", sets.many, 0.45)):
        if not bench.wants(f"adamw-{name}"):
            continue
        params = bench.params(shapes)
        before = (lambda: backward(params)) if name == "many" else None  # noqa: B023
        ours, theirs, fused = beside_adamw(bench, params, gradwright.AdamW(params), before)
        against = f"torch fused AdamW; {len(shapes)} tensors, {numbers(shapes) / 1e6:.0f} M numbers"
        note = "real backward, gradients None before" if before else ""
        yield Row(f"adamw-{name}", ours / theirs, bar, against=against, ours=ours, fused=fused, note=note)


@suite
def elementwise(bench: Bench) -> Iterator[Row]:
    """Every elementwise recipe, byte for byte beside torch's fused AdamW."""
    for name, recipe in sorted(registry.items()):
        if "elementwise" not in recipe.spec.traits or not bench.wants(f"elementwise-{name}"):
            continue
        if not is_planned(recipe):
            yield Row(f"elementwise-{name}", note="it runs on plain torch")
            continue
        params = bench.params(bench.sets.gpt)
        ours, theirs, fused = beside_adamw(bench, params, recipe(params))
        moved = bytes_per_number(recipe)
        yield Row(
            f"elementwise-{name}",
            ours / (theirs * moved / ADAMW_BYTES),
            bar_for(recipe),
            against=f"torch fused AdamW byte for byte, {moved} bytes a number",
            ours=ours,
            fused=fused,
        )


RIVAL_BARS = {"Lion": 0.60, "AdaBelief": 0.30, "Adan": 0.40, "Lamb": 0.60, "Prodigy": 0.60}


@suite
def rival(bench: Bench) -> Iterator[Row]:
    """Recipes beside the best of other packages."""
    for name, bar in RIVAL_BARS.items():
        if not bench.wants(f"rival-{name}"):
            continue
        recipe, found = registry.get(name), rivals.installed(name)
        if recipe is None or not found:
            note = f"there is no recipe {name} yet" if recipe is None else rivals.missing(name)
            yield Row(f"rival-{name}", bar=bar, note=note)
            continue
        params = bench.params(bench.sets.gpt)
        calls = {"ours": stepping(recipe(params, lr=1e-3)), "torch": torch_adamw(params).step}
        calls |= {package: kind(params, lr=1e-3).step for package, kind in found.items()}
        best = bench.time(calls)
        fastest = min(found, key=best.__getitem__)
        fused = ADAMW_BYTES * numbers(bench.sets.gpt) / best["torch"]
        against = f"{fastest}, the fastest of {', '.join(found)}"
        yield Row(f"rival-{name}", best["ours"] / best[fastest], bar, against=against, ours=best["ours"], fused=fused)


REDUCING = {
    "Adafactor": ({"scale_parameter": False}, 20, 1.5),
    "Lamb": ({}, 40, 1.4),
    "SM3": ({}, 12, 1.3),
    "Surefoot": ({}, 52, 1.3),
}
"""Hyper-parameters, the bytes a number that a step should cost, and the bar."""


@suite
def reducing(bench: Bench) -> Iterator[Row]:
    """Recipes that sum over tensors, rows or columns, beside what their bytes cost torch's fused AdamW."""
    for name, (knobs, moved, bar) in REDUCING.items():
        if not bench.wants(f"reducing-{name}"):
            continue
        recipe = registry.get(name)
        if recipe is None:
            yield Row(f"reducing-{name}", bar=bar, note=f"there is no recipe {name} yet")
            continue
        params = bench.params(bench.sets.gpt)
        ours, theirs, fused = beside_adamw(bench, params, recipe(params, **knobs))
        planned = "plain torch"
        if is_planned(recipe, knobs):
            planned = "{} read and {} written, as planned; AdamW 16 and 12".format(*read_and_written(recipe, knobs))
        yield Row(
            f"reducing-{name}",
            ours / (theirs * moved / ADAMW_BYTES),
            bar,
            against=f"torch fused AdamW at {moved} bytes a number ({planned})",
            ours=ours,
            fused=fused,
        )


@suite
def bfloat16(bench: Bench) -> Iterator[Row]:
    """AdamW with weights and state in bfloat16."""
    if not bench.wants("bfloat16-adamw"):
        return
    params = bench.params(bench.sets.gpt, torch.bfloat16)
    ours, theirs, fused = beside_adamw(bench, params, gradwright.AdamW(params, state="parameter"))
    against = "torch fused AdamW in bfloat16"
    yield Row("bfloat16-adamw", ours / theirs, 0.85, against=against, ours=ours, fused=fused / 2)


@suite
def muon(bench: Bench) -> Iterator[Row]:
    """Muon beside itself written plainly, against float64, and beside torch's on many small matrices."""
    if bench.wants("muon-gpt"):
        params = bench.params(bench.sets.matrices)
        calls = {"plain": PlainMuon(params).step, "ours": gradwright.Muon(params).step}
        best = interleaved(calls, min(bench.rounds, 3), bench.device, warmup=1)
        against = f"the same, written plainly in float32; {len(params)} matrices"
        yield Row("muon-gpt", best["ours"] / best["plain"], 0.70, against=against, ours=best["ours"])
    if bench.wants("muon-error"):
        against = "Newton-Schulz in float64, worst matrix"
        yield Row("muon-error", _muon_error(bench), 1e-3, unit="relative", against=against)
    if bench.wants("muon-many"):
        params = bench.params(bench.sets.small_matrices)
        best = bench.time({"torch": torch.optim.Muon(params).step, "ours": gradwright.Muon(params).step})
        against = f"torch.optim.Muon; {len(params)} of {'x'.join(map(str, params[0].shape))}"
        yield Row("muon-many", best["ours"] / best["torch"], 0.20, against=against, ours=best["ours"])


def _muon_error(bench: Bench) -> float:
    """The largest relative error, by Frobenius norm, of the direction of a first step on each distinct shape."""
    worst = 0.0
    for param in bench.params(sorted(set(bench.sets.matrices))):
        assert param.grad is not None
        before, gradient = param.detach().double(), param.grad.double()
        gradwright.Muon([param], lr=1.0).step()
        rows, columns = param.shape
        expected = newton_schulz(gradient) * max(1.0, rows / columns) ** 0.5
        # the weights are of size 0.02, so that what a step of 1 loses to their rounding is far below the bar
        worst = max(worst, float((before - param.detach().double() - expected).norm() / expected.norm()))
    return worst


@suite
def first(bench: Bench) -> Iterator[Row]:
    """The first step of a fresh process, with an empty and with a filled cache of kernels."""
    if not bench.wants("first-step"):
        return
    if bench.device != "cpu":
        yield Row("first-step", note="measured on the CPU only")
        return
    count = 1 if bench.smoke else 3
    with tempfile.TemporaryDirectory() as folder:
        cold = min(_fresh(bench, "ours", str(Path(folder) / str(time))) for time in range(count))
        warm = min(_fresh(bench, "ours", str(Path(folder) / "0")) for _ in range(count))
        theirs = min(_fresh(bench, "torch", folder) for _ in range(count))
    yield Row("first-step-cold", cold, 0.8, unit="s", against="an empty cache of kernels")
    against = f"torch fused AdamW's own {theirs:.3f} s, plus 0.05"
    yield Row("first-step-warm", warm, theirs + 0.05, unit="s", against=against)


def _fresh(bench: Bench, which: str, cache: str) -> float:
    script = str(Path(__file__).with_name("first_step.py"))
    command = [sys.executable, script, which, "smoke" if bench.smoke else "full"]
    done = subprocess.run(
        command, env={**environ, "GRADWRIGHT_CACHE": cache}, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


@suite
def recompilations(bench: Bench) -> Iterator[Row]:
    """How many kernels are made while every hyper-parameter changes at every step."""
    if not bench.wants("recompilations"):
        return
    params = bench.params([(64, 64), (64,)])
    optimizer = gradwright.AdamW(params)
    for _ in range(2):
        optimizer.step()
    made: list[str] = []

    def watched(load: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda source: made.append(source) or load(source)

    with patch.object(build, "load", watched(build.load)), patch.object(launch, "load", watched(launch.load)):
        for step in range(1, 51):
            group = optimizer.param_groups[0]
            group.update(lr=1e-3 / step, betas=(0.9 - step / 1e4, 0.99 - step / 1e4), weight_decay=0.1 / step)
            optimizer.step()
    yield Row("recompilations", len(made), 0, unit="kernels", against="50 steps, each with other lr, betas and decay")


@suite
def overhead(bench: Bench) -> Iterator[Row]:
    """The Python of a step: everything but the kernel, on the CPU; until the launch returns, on a GPU."""
    if not bench.wants("overhead"):
        return
    params = bench.params(bench.sets.many)
    optimizer = gradwright.AdamW(params)
    backward(params)
    optimizer.step()
    if bench.device == "cpu":
        with patch.object(CppKernel, "__call__", lambda kernel, *rest: None):
            seconds = bench.time({"ours": optimizer.step}, lambda: backward(params))["ours"]
    else:
        seconds = min(_host_seconds(optimizer, params) for _ in range(bench.rounds))
    against = f"the step without its kernel; {len(params)} tensors, real backward"
    yield Row("overhead", 1e6 * seconds, 2000, unit="us", against=against)


def _host_seconds(optimizer: Any, params: list[Tensor]) -> float:
    backward(params)
    torch.cuda.synchronize()
    start = time.perf_counter()
    optimizer.step()
    return time.perf_counter() - start
