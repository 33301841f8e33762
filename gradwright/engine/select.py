"""Which engine runs: what the optimizer asks for, what ``GRADWRIGHT_ENGINE`` says, and what is there."""

from __future__ import annotations

import os

import torch

from gradwright.core.warn import warn_once
from gradwright.engine.backend import Backend
from gradwright.engine.cpp.backend import Cpp
from gradwright.engine.plain.backend import PlainTorch
from gradwright.engine.triton.backend import Triton
from gradwright.native.build import NoCompiler

ENGINES = ("auto", "eager", "torch", "cpp", "triton")
BACKENDS: dict[str, Backend] = {"cpp": Cpp(), "triton": Triton(), "torch": PlainTorch()}


def checked(engine: str, where: str = "engine") -> str:
    """``engine``, if there is one of this name.

    Raises:
        ValueError: there is none; names those there are.
    """
    if engine not in ENGINES:
        raise ValueError(f"{where}={engine!r} is unknown; give one of {', '.join(ENGINES)}")
    return engine


def asked(engine: str) -> str:
    """``engine``, or what ``GRADWRIGHT_ENGINE`` says in place of ``"auto"``."""
    return checked(os.environ.get("GRADWRIGHT_ENGINE", "auto"), "GRADWRIGHT_ENGINE") if engine == "auto" else engine


def chosen(engine: str, device: str | torch.device = "cpu") -> str:
    """The engine that ``engine`` means for tensors on a device: one of ``ENGINES`` but ``"auto"``.

    ``"auto"`` is the C++ engine on the CPU, where there is a compiler, and the Triton engine on a GPU, where there is
    Triton. Where they are missing, one warning says how to get the speed.

    Raises:
        NoCompiler: an engine was asked for by name that cannot run here.
    """
    engine, device = asked(engine), torch.device(device)
    fitting = {"cpu": "cpp", "cuda": "triton"}.get(device.type, "eager")
    wanted = fitting if engine == "auto" else engine
    if wanted == "cpp" and device.type != "cpu":
        warn_once(f"engine='cpp' serves tensors on the CPU; those on {device} run on plain torch (engine='auto' helps)")
        return "eager"
    try:
        if wanted in BACKENDS:
            BACKENDS[wanted].check(device)
    except NoCompiler as why:
        give_up(engine, why)
        return "eager"
    return wanted


def backend(engine: str, device: torch.device) -> Backend | None:
    """What runs tensors on a device; ``None`` for the eager engine."""
    return BACKENDS.get(chosen(engine, device))


def give_up(engine: str, why: NoCompiler) -> None:
    """Say once that plain torch has to do; where the engine was asked for by name, raise."""
    if asked(engine) != "auto":
        raise why
    warn_once(str(why))
