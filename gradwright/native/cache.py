"""Cache: the folders in which compiled code is kept, made so that nobody else can write there, and swept."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from gradwright.core.warn import warn_once
from gradwright.native.trust import Distrusted, check_folder, is_own, read_own, user

UNFINISHED = "unfinished-"
"""How the names of folders and files begin that are not whole yet."""
ABANDONED = 3600.0
"""After so many seconds nobody finishes them any more; no compiler may take as long."""

T = TypeVar("T")


class NoFolder(OSError):
    """Nothing can be kept in any folder; the message says why for each."""

    def __init__(self, failures: list[tuple[Path, OSError]]) -> None:
        self.failures = failures
        super().__init__("; ".join(f"{folder}: {_said(why)}" for folder, why in failures))


@lru_cache
def _absolute(chosen: str) -> Path:
    # once: a process that changes its folder keeps its cache
    return Path(chosen).absolute()


def cache_folder() -> Path:
    """Where kernels are kept: ``GRADWRIGHT_CACHE``, or ``gradwright`` in the user's cache folder."""
    if chosen := os.environ.get("GRADWRIGHT_CACHE"):
        return _absolute(chosen)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return temporary_folder()
    return _absolute(str(base)) / "gradwright"


def temporary_folder() -> Path:
    """Where they are kept for the time being, if the cache cannot be used."""
    return Path(tempfile.gettempdir()).absolute() / f"gradwright-{user()}"


def folders() -> tuple[Path, ...]:
    """Where they may be kept, in order."""
    return tuple(dict.fromkeys((cache_folder(), temporary_folder())))


def in_first(work: Callable[[Path], T]) -> T:
    """Do ``work`` with the first folder in which it can be done; one warning names what was wrong with those before.

    Raises:
        NoFolder: it can be done in none.
    """
    failures: list[tuple[Path, OSError]] = []
    for folder in folders():
        try:
            prepare(folder)
            done = work(folder)
        except OSError as why:
            failures.append((folder, why))
            continue
        for refused, fault in failures:
            warn_once(
                f"compiled kernels are not kept in {refused}, but for the time being in {folder}: {_said(fault)}. "
                "Set GRADWRIGHT_CACHE to a folder of your own that nobody else can write"
            )
        return done
    raise NoFolder(failures)


def prepare(folder: Path) -> None:
    """Make a folder that only the user can write, or see that it is one.

    Raises:
        Distrusted: others can write it, or put another in its place.
        OSError: it cannot be made.
    """
    check_folder(folder)
    missing = []
    for part in (folder, *folder.parents):
        if os.path.lexists(part):
            break
        missing.append(part)
    for part in reversed(missing):
        try:
            os.mkdir(part, 0o700)
        except FileExistsError:  # another process was faster; whose, is asked below
            continue
        os.chmod(part, 0o700)  # whatever the umask takes away
    check_folder(folder)
    _sweep(folder)


def kept(file: Path) -> bytes | None:
    """What was kept in a file, or None: there is none, or it cannot be trusted, which one warning says."""
    try:
        return read_own(file)
    except FileNotFoundError:
        return None
    except Distrusted as why:
        warn_once(f"a compiled kernel is not used but made anew: {why}")
    except OSError:
        pass
    return None


def place(made: Path, target: Path) -> None:
    """Put a whole file in its place at once, written by nobody but the user."""
    os.chmod(made, 0o700 if made.suffix == ".so" else 0o600)
    os.replace(made, target)


def _said(why: OSError) -> str:
    return str(why) if why.errno is None else str(why.strerror)


_swept: set[Path] = set()


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed while they compiled; once a process."""
    if folder in _swept:
        return
    _swept.add(folder)
    for left in folder.glob(f"{UNFINISHED}*"):
        try:
            if is_own(left) and time.time() - left.lstat().st_mtime > ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        except OSError:
            continue
