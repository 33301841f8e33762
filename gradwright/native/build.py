"""Build: compile a kernel once and keep it in the user's cache folder, whoever else does so at the same time."""

from __future__ import annotations

import _ctypes
import ctypes
import hashlib
import os
import platform
import re
import sys
import threading
from functools import lru_cache
from pathlib import Path

from gradwright.core.warn import warn_once
from gradwright.native import cache
from gradwright.native.cache import cache_folder, folders
from gradwright.native.compiler import NoCompiler, compiler, make_library

__all__ = ["FLAGS", "NoCompiler", "cache_folder", "compiler", "folders", "load"]

FLAGS = (
    "-O3",
    "-std=c++20",
    "-fPIC",
    "-shared",
    "-fopenmp",
    "-march=native",
    "-mprefer-vector-width=512",
    "-fno-math-errno",  # without it sqrt is not vectorised
    "-fno-trapping-math",
    "-ffp-contract=off",  # a fused multiply-add would round otherwise than eager
)
SANITIZED = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-D_GLIBCXX_ASSERTIONS",  # indices of std::vector
)
"""Added where ``GRADWRIGHT_SANITIZE=1``: a kernel that reads or writes what is not its own stops the process."""

_loaded: dict[str, ctypes.CDLL] = {}
_locks: dict[str, threading.Lock] = {}
"""One for each kernel, so that one may be compiled while another is loaded."""


def _forget_locks() -> None:
    # a thread that compiles does not go on in a child, which would wait for its lock for ever
    _locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)


class Unloadable(OSError):
    """A library was made that the system does not load."""


class Incomplete(Exception):
    """A library lacks a function of its source."""


def flags() -> tuple[str, ...]:
    """The compiler's flags.

    Raises:
        NoCompiler: kernels that watch their memory were asked for, in a process that cannot load them.
    """
    if os.environ.get("GRADWRIGHT_SANITIZE") != "1":
        return FLAGS
    if not hasattr(ctypes.CDLL(None), "__asan_init"):
        # to load one would end the process
        raise NoCompiler(
            "GRADWRIGHT_SANITIZE=1 needs the sanitizer in the process from its start: "
            "LD_PRELOAD=$(g++ -print-file-name=libasan.so); make test-asan does that"
        )
    return (*FLAGS, *SANITIZED)


@lru_cache(maxsize=1)
def _machine() -> str:
    """What the compiled code depends on beside its source: home folders are shared between machines."""
    try:
        with open("/proc/cpuinfo") as info:
            features = next((line for line in info if line.startswith(("flags", "Features"))), "")
    except (OSError, ValueError):
        features = platform.processor()
    return f"{platform.machine()} {sys.platform} {features}"


def load(source: str) -> ctypes.CDLL:
    """The compiled kernel of ``source``: from this process, from the cache, or compiled now.

    A damaged cache entry, and one that somebody else may have written, is compiled again. Several processes may compile
    at once; each puts a whole file in place.

    Raises:
        NoCompiler: it cannot be compiled, kept or loaded; the message says which.
        ValueError: ``GRADWRIGHT_COMPILE_SECONDS`` is no number of seconds.
    """
    path, key = _key(source)
    with _locks.setdefault(key, threading.Lock()):
        if key not in _loaded:
            _loaded[key] = _load_or_compile(source, key, path)
        return _loaded[key]


def at_hand(source: str) -> bool:
    """Whether the kernel of ``source`` needs no compiling: it is loaded, or a file of it is kept.

    Raises:
        NoCompiler: there is none, so that it will never be.
    """
    _, key = _key(source)
    return key in _loaded or any((folder / f"{key}.so").exists() for folder in folders())


def _key(source: str) -> tuple[str, str]:
    """The compiler, and what names a kernel: all that its code depends on."""
    path, version = compiler()
    return path, hashlib.sha256("\0".join([source, version, *flags(), _machine()]).encode()).hexdigest()[:32]


def _load_or_compile(source: str, key: str, path: str) -> ctypes.CDLL:
    try:
        return cache.in_first(lambda folder: _from(folder, source, key, path))
    except cache.NoFolder as why:
        unloadable = any(isinstance(failure, Unloadable) for _, failure in why.failures)
        fault = "a kernel was compiled but cannot be loaded" if unloadable else "no folder can keep compiled kernels"
        raise NoCompiler(
            f"{fault}, so optimizers run on plain torch and linear models on numpy, several times slower: {why}. Set "
            "GRADWRIGHT_CACHE to a folder of your own from which programs may be run"
        ) from None


def _from(folder: Path, source: str, key: str, path: str) -> ctypes.CDLL:
    """The kernel in this folder, compiled if need be."""
    target = folder / f"{key}.so"
    if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise OSError("it is on a file system from which nothing may be run (noexec)")
    if _is_whole(target):
        try:
            return _open(target, source)
        except (Unloadable, Incomplete) as why:
            warn_once(f"a kept kernel is compiled anew: {why}")
    _compile(source, target, path)
    try:
        return _open(target, source)
    except Incomplete as why:
        raise NoCompiler(f"{path} makes libraries that cannot be used: {why}; point CXX at another compiler") from None


def _compile(source: str, target: Path, path: str) -> None:
    with make_library(path, flags(), source, target.parent) as scratch:
        made, digest = Path(scratch, "kernel.so"), Path(scratch, "digest")
        digest.write_bytes(_digest(made.read_bytes()).encode())
        cache.place(digest, _digest_of(target))
        cache.place(made, target)


def _open(target: Path, source: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(target))
    except OSError as why:
        raise Unloadable(f"it cannot be loaded ({why})") from None
    for name in _functions(source):
        if not hasattr(library, name):
            # the system would hand out this one again, whatever is put in its place
            if hasattr(_ctypes, "dlclose"):
                _ctypes.dlclose(library._handle)
            raise Incomplete(f"it lacks the function {name!r}")
    return library


def _functions(source: str) -> list[str]:
    """The functions that a source defines for Python to call."""
    return re.findall(r'extern "C"[\w\s*]+?\b(\w+)\s*\([^;{}]*\)\s*\{', source)


def _is_whole(target: Path) -> bool:
    """Whether a kernel is there as it was written: to load the half of one would crash the process."""
    code, digest = cache.kept(target), cache.kept(_digest_of(target))
    return code is not None and digest is not None and digest == _digest(code).encode()


def _digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()


def _digest_of(target: Path) -> Path:
    return target.with_suffix(".sha256")
