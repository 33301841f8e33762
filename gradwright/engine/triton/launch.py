"""Launch: load printed Triton kernels and start them. The only file that imports Triton, when it is first needed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from gradwright.native import build, cache

WARPS = 4
"""Groups of 32 threads in a program."""

_loaded: dict[str, dict[str, Any]] = {}


class NoTriton(build.NoCompiler):
    """Triton is missing, or cannot serve a device; the message says what to do."""


@lru_cache(maxsize=1)
def interpreted() -> bool:
    """Whether Triton was imported to run kernels in its interpreter, on tensors of the CPU."""
    if os.environ.get("TRITON_INTERPRET") != "1":
        return False
    from triton.language import zeros
    from triton.runtime.interpreter import InterpretedFunction

    return isinstance(zeros, InterpretedFunction)


def check(device: str) -> None:
    """Make sure that kernels can run on tensors of a kind of device, such as ``"cuda"``.

    Raises:
        NoTriton: they cannot.
    """
    if find_spec("triton") is None:
        raise NoTriton(
            "Triton is not installed, so optimizers of tensors on a GPU run on plain torch, several times slower; "
            "pip install triton (engine='eager' silences this)"
        )
    if device == "cpu" and not interpreted():
        raise NoTriton(
            "engine='triton' serves tensors on the CPU in Triton's interpreter only, which is for tests: set "
            "TRITON_INTERPRET=1 before Triton is first imported, or use engine='auto'"
        )
    if device == "cuda" and interpreted():
        raise NoTriton(
            "Triton's interpreter cannot read tensors on a GPU; unset TRITON_INTERPRET or use engine='eager'"
        )
    if device not in ("cpu", "cuda"):
        raise NoTriton(f"there are no kernels for tensors on the device {device!r}; use engine='auto' or 'eager'")


def load(source: str) -> dict[str, Any]:
    """What the module ``source`` defines. Triton reads a kernel's text from a file, so the module is kept as one.

    Raises:
        NoTriton: no folder can be written.
    """
    key = hashlib.sha256(source.encode()).hexdigest()[:32]
    if key not in _loaded:
        path = _kept(source, key)
        scope: dict[str, Any] = {"__name__": f"gradwright_{key}", "__file__": str(path)}
        exec(compile(source, str(path), "exec"), scope)
        _loaded[key] = scope
    return _loaded[key]


def _kept(source: str, key: str) -> Path:
    """A file with this text; processes that write it at once each put a whole one in place."""
    try:
        return cache.in_first(lambda folder: _kept_in(folder, source, key))
    except cache.NoFolder as why:
        raise NoTriton(
            f"no folder can keep compiled kernels, so optimizers run on plain torch, several times slower: {why}. Set "
            "GRADWRIGHT_CACHE to a folder of your own"
        ) from None


def _kept_in(folder: Path, source: str, key: str) -> Path:
    path, text = folder / f"{key}.py", source.encode()
    if cache.kept(path) != text:
        with tempfile.TemporaryDirectory(dir=folder, prefix=cache.UNFINISHED, ignore_cleanup_errors=True) as scratch:
            made = Path(scratch, path.name)
            made.write_bytes(text)
            cache.place(made, path)
    return path


def start(kernel: Any, programs: int, arguments: Sequence[Tensor]) -> None:
    """Run a kernel, without waiting for it."""
    # a fused multiply-add would round otherwise than eager
    kernel[(programs,)](*arguments, num_warps=WARPS, enable_fp_fusion=False)
