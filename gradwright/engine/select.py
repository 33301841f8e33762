"""Which engine runs: what the optimizer asks for, what ``GRADWRIGHT_ENGINE`` says, and what is there."""

from __future__ import annotations

import os
import warnings

from gradwright.engine import launch
from gradwright.native import build

ENGINES = ("auto", "eager", "cpp", "triton")

_warned: set[str] = set()


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


def chosen(engine: str, device: str = "cpu") -> str:
    """``"eager"``, ``"cpp"`` or ``"triton"``: what ``engine`` means for tensors on a kind of device.

    ``"auto"`` is the C++ engine on the CPU, where there is a compiler, and the Triton engine on a GPU, where there is
    Triton. Where they are missing, one warning says how to get the speed.

    Raises:
        NoCompiler: an engine was asked for by name that cannot run here.
    """
    engine = asked(engine)
    fitting = {"cpu": "cpp", "cuda": "triton"}.get(device, "eager")
    wanted = fitting if engine == "auto" else engine
    if wanted == "cpp" and device != "cpu":
        warn_once(f"engine='cpp' serves tensors on the CPU; those on {device} run on plain torch (engine='auto' helps)")
        return "eager"
    try:
        if wanted == "cpp":
            build.compiler()
        elif wanted == "triton":
            launch.check(device)
    except build.NoCompiler as why:
        give_up(engine, why)
        return "eager"
    return wanted


def give_up(engine: str, why: build.NoCompiler) -> None:
    """Say once that plain torch has to do; where the engine was asked for by name, raise."""
    if asked(engine) != "auto":
        raise why
    warn_once(str(why))


def warn_once(message: str) -> None:
    """Warn, the first time only."""
    if message not in _warned:
        warnings.warn(message, stacklevel=2)
        _warned.add(message)
