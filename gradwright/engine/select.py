"""Which engine runs: what the optimizer asks for, what ``GRADWRIGHT_ENGINE`` says, and what is there."""

from __future__ import annotations

import os
import warnings

from gradwright.engine import build

ENGINES = ("auto", "eager", "cpp")

_warned = False


def checked(engine: str, where: str = "engine") -> str:
    """``engine``, if there is one of this name.

    Raises:
        ValueError: there is none; names those there are.
    """
    if engine not in ENGINES:
        raise ValueError(f"{where}={engine!r} is unknown; give one of {', '.join(ENGINES)}")
    return engine


def chosen(engine: str) -> str:
    """``"eager"`` or ``"cpp"``: what ``engine`` means in this process.

    ``"auto"`` follows ``GRADWRIGHT_ENGINE`` and is the C++ engine wherever there is a compiler; where there is none,
    one warning says how to get the speed.

    Raises:
        NoCompiler: ``"cpp"`` was asked for and there is no compiler.
    """
    global _warned
    if engine == "auto":
        engine = checked(os.environ.get("GRADWRIGHT_ENGINE", "auto"), "GRADWRIGHT_ENGINE")
    if engine == "eager":
        return "eager"
    try:
        build.compiler()
    except build.NoCompiler as why:
        if engine == "cpp":
            raise
        if not _warned:
            warnings.warn(str(why), stacklevel=2)
            _warned = True
        return "eager"
    return "cpp"
