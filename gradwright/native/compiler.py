"""Compiler: which one there is, and how it makes a library."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from gradwright.core.warn import warn_once
from gradwright.native import process
from gradwright.native.cache import ABANDONED, UNFINISHED

SECONDS = 120.0
"""How long one kernel may take to compile, unless ``GRADWRIGHT_COMPILE_SECONDS`` says otherwise."""
FULL = ("No space left on device", "Disk quota exceeded")
"""What a compiler complains of where a folder is at fault and not the source."""

_gave_up: list[str] = []


class NoCompiler(RuntimeError):
    """There is no C++ compiler, or it cannot compile; the message says how to get the speed."""


def seconds() -> float:
    """The time limit of a compilation.

    Raises:
        ValueError: ``GRADWRIGHT_COMPILE_SECONDS`` is no number of seconds.
    """
    given = os.environ.get("GRADWRIGHT_COMPILE_SECONDS")
    if not given:
        return SECONDS
    try:
        limit = float(given)
    except ValueError:
        limit = math.nan
    if not 0.0 < limit < ABANDONED:
        raise ValueError(
            f"GRADWRIGHT_COMPILE_SECONDS={given!r} is no time limit; give seconds, less than {ABANDONED:g}"
        )
    return limit


@lru_cache(maxsize=1)
def compiler() -> tuple[str, str]:
    """The compiler and what identifies it.

    One that cannot say its version is passed over with a warning: without it, its kernels could not be told from
    those of another.

    Raises:
        NoCompiler: none was found.
    """
    _gave_up.clear()
    chosen = os.environ.get("CXX")
    if chosen and shutil.which(chosen) is None:
        warn_once(f"CXX={chosen!r} is no program that can be found, so other compilers are tried; give the path of one")
    for name in filter(None, (chosen, "g++", "clang++", "c++")):
        found = shutil.which(name)
        if found is None:
            continue
        path = os.path.abspath(found)
        version = _version(path, os.stat(path).st_mtime_ns)
        if version is not None:
            return path, version
    raise NoCompiler(
        "no C++ compiler was found, so optimizers run on plain torch and linear models on numpy, several times slower; "
        "install g++ or clang++, or point CXX at one (engine='eager' silences this for an optimizer)"
    )


@lru_cache
def _version(path: str, written: int) -> str | None:
    # asked once as long as the file is the same, for one that hangs takes its time
    limit = min(20.0, seconds())
    try:
        status, said, _ = process.run([path, "--version"], limit)
    except process.TooLong:
        fault = f"has not answered for {limit:g} seconds"
    except OSError as why:
        fault = f"cannot be started ({why.strerror})"
    else:
        line = next((line for line in said.splitlines() if line.strip()), "")
        if status == 0 and line:
            return line
        fault = f"fails with status {status}" if status else "says nothing"
    warn_once(
        f"the compiler {path} {fault} when asked for its --version, so it is not used; repair it, or point CXX at "
        "another"
    )
    return None


def make_library(path: str, flags: tuple[str, ...], source: str, folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Compile ``source``; the library is ``kernel.so`` in the folder that is returned, inside of ``folder``.

    Raises:
        NoCompiler: the compiler refuses, or takes too long, after which it is not asked again.
        OSError: the folder cannot be written, or is full.
    """
    if _gave_up:
        raise NoCompiler(_gave_up[0])
    limit = seconds()
    scratch = tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED, ignore_cleanup_errors=True)
    try:
        _compile([path, *flags, "kernel.cpp", "-o", "kernel.so"], source, Path(scratch.name), limit)
    except BaseException:
        scratch.cleanup()
        raise
    return scratch


def _compile(command: list[str], source: str, scratch: Path, limit: float) -> None:
    path = command[0]
    (scratch / "kernel.cpp").write_text(source, encoding="utf-8")
    try:
        # relative names, so that two kernels that fail alike say the same and are warned of once
        status, said, complaints = process.run(command, limit, scratch, {"TMPDIR": str(scratch)})
    except process.TooLong:
        _gave_up.append(
            f"the compiler {path} has worked on one kernel for {limit:g} seconds and was stopped, so that what is not "
            "compiled yet runs on plain torch or numpy, several times slower; GRADWRIGHT_COMPILE_SECONDS is the limit, "
            "and CXX names another compiler"
        )
        raise NoCompiler(_gave_up[0]) from None
    except OSError as why:
        raise NoCompiler(f"the compiler {path} cannot be started: {why.strerror}") from None
    said = complaints or said
    if status != 0 and any(full in said for full in FULL):
        raise OSError(f"the compiler {path} found no space left there")
    if status != 0:
        raise NoCompiler(f"{path} could not compile a kernel (status {status}):\n{said[:2000]}")
    if not (scratch / "kernel.so").is_file():
        raise NoCompiler(f"{path} ended without an error, but made no library; point CXX at another compiler")
