"""Build: compile a kernel once and keep it in the user's cache folder, whoever else does so at the same time."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import lru_cache
from pathlib import Path

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

_lock = threading.Lock()
_loaded: dict[str, ctypes.CDLL] = {}


class NoCompiler(RuntimeError):
    """There is no C++ compiler, or it cannot compile; the message says how to get the speed."""


def cache_folder() -> Path:
    """Where kernels are kept: ``GRADWRIGHT_CACHE``, or ``gradwright`` in the user's cache folder."""
    if chosen := os.environ.get("GRADWRIGHT_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "gradwright"


def folders() -> tuple[Path, Path]:
    """Where kernels may be kept: the cache, or where that cannot be written, a folder for the time being."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    return cache_folder(), Path(tempfile.gettempdir()) / f"gradwright-{user}"


@lru_cache(maxsize=1)
def compiler() -> tuple[str, str]:
    """The compiler and what identifies it.

    Raises:
        NoCompiler: none was found.
    """
    for name in filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++")):
        path = shutil.which(name)
        if path is None:
            continue
        try:
            version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return path, version.stdout.splitlines()[0] if version.stdout else path
    raise NoCompiler(
        "no C++ compiler was found, so optimizers run on plain torch and linear models on numpy, several times slower; "
        "install g++ or clang++, or point CXX at one (engine='eager' silences this for an optimizer)"
    )


@lru_cache(maxsize=1)
def _machine() -> str:
    """What the compiled code depends on beside its source: home folders are shared between machines."""
    try:
        with open("/proc/cpuinfo") as info:
            flags = next((line for line in info if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    return f"{platform.machine()} {sys.platform} {flags}"


def load(source: str) -> ctypes.CDLL:
    """The compiled kernel of ``source``: from this process, from the cache, or compiled now.

    A damaged cache entry is compiled again. Several processes may compile at once; each puts a whole file in place.

    Raises:
        NoCompiler: it cannot be compiled.
    """
    path, version = compiler()
    key = hashlib.sha256("\0".join([source, version, *FLAGS, _machine()]).encode()).hexdigest()[:32]
    with _lock:
        if key not in _loaded:
            _loaded[key] = _load_or_compile(source, key, path)
        return _loaded[key]


def _load_or_compile(source: str, key: str, path: str) -> ctypes.CDLL:
    for folder in folders():
        target = folder / f"{key}.so"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if folder != cache_folder() and not _is_ours(folder):
                continue
            if not _is_whole(target):
                _compile(source, target, path)
            return ctypes.CDLL(str(target))
        except OSError:
            continue
    raise NoCompiler(f"no folder for compiled kernels can be written; set GRADWRIGHT_CACHE (tried {cache_folder()})")


def _compile(source: str, target: Path, path: str) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        code, made = Path(scratch) / "kernel.cpp", Path(scratch) / "kernel.so"
        code.write_text(source)
        done = subprocess.run([path, *FLAGS, str(code), "-o", str(made)], capture_output=True, text=True)
        if done.returncode != 0:
            raise NoCompiler(f"{path} could not compile a kernel:\n{done.stderr[:2000]}")
        digest = made.with_name("digest")
        digest.write_text(_digest(made))
        os.replace(digest, _digest_of(target))
        os.replace(made, target)


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put a kernel into a folder that stands where everybody may write."""
    facts = folder.stat()
    return not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not facts.st_mode & 0o022)


def _is_whole(target: Path) -> bool:
    """Whether a kernel is there as it was written: to load the half of one would crash the process."""
    try:
        return _digest_of(target).read_text() == _digest(target)
    except (OSError, ValueError):
        return False


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _digest_of(target: Path) -> Path:
    return target.with_suffix(".sha256")
