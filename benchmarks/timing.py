"""Timing: several ways of doing one thing, in turn, in one process; the least of several rounds counts."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

Call = Callable[[], Any]


def interleaved(
    calls: Mapping[str, Call], rounds: int, device: str = "cpu", before: Call | None = None, warmup: int = 2
) -> dict[str, float]:
    """The least seconds of each call.

    Machines have fast and slow minutes, so ours and theirs take turns: a ratio then compares the same minutes.

    Args:
        calls: what to time, by name.
        rounds: how often each is timed.
        device: ``cuda`` is timed by its own events.
        before: runs ahead of every call, untimed.
        warmup: how often each runs untimed at first.
    """
    best = dict.fromkeys(calls, float("inf"))
    for count in range(warmup + rounds):
        for name, call in calls.items():
            if before is not None:
                before()
            seconds = _seconds(call, device)
            if count >= warmup:
                best[name] = min(best[name], seconds)
    return best


def _seconds(call: Call, device: str) -> float:
    if device == "cpu":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def copy_bandwidth(device: str, numbers: int = 2**26, rounds: int = 10) -> float:
    """Bytes that a copy reads and writes in a second."""
    source = torch.ones(numbers, device=device)
    target = torch.empty_like(source)
    return 8 * numbers / interleaved({"copy": lambda: target.copy_(source)}, rounds, device)["copy"]


def hardware(device: str) -> dict[str, Any]:
    """What the figures were measured on."""
    from gradwright.native import build

    try:
        compiler = build.compiler()[1]
    except build.NoCompiler:
        compiler = "none"
    found: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "compiler": compiler,
        "vectors": torch.backends.cpu.get_cpu_capability(),
    }
    if device == "cuda":
        facts = torch.cuda.get_device_properties(0)
        found |= {"gpu": facts.name, "gpu_memory_gib": round(facts.total_memory / 2**30), "cuda": torch.version.cuda}
    return found


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
