"""Write: several files of one folder, all of them or none, so that a failure leaves what was there before."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gradwright.linear_model.fit_table.text import quoted


def check(folder: Path, names: list[str]) -> None:
    """Try whether files of these names could be written to the folder, and leave nothing.

    Raises:
        ValueError: the folder, or the nearest above it that exists, cannot be written to, or something is in the way.
    """
    if "\0" in str(folder):
        raise _refused(folder, OSError(errno.EINVAL, "a name cannot hold a NUL"))
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    try:
        if not there.is_dir():
            raise OSError(errno.ENOTDIR, f"{str(there)!r} is not a folder")
        for name in names:
            if (folder / name).is_dir():
                raise OSError(errno.EISDIR, f"{str(folder / name)!r} is a folder")
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as why:
        raise _refused(folder, why) from None


def write(folder: Path, writers: dict[str, Callable[[Path], None]]) -> list[Path]:
    """Call each writer with a path beside its file, then put all in place.

    Raises:
        ValueError: a file could not be written; the folder is as it was.
    """
    made = [place for place in (folder, *folder.absolute().parents) if not os.path.lexists(place)]
    ends = {name: Path(os.path.realpath(folder / name)) for name in writers}
    fresh = {name: end.with_name(f".{end.name}.{os.getpid()}.new") for name, end in ends.items()}
    before = {name: end.with_name(f".{end.name}.{os.getpid()}.before") for name, end in ends.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, writer in writers.items():
            writer(fresh[name])
        _put(ends, fresh, before)
    except OSError as why:
        _remove(fresh, made)
        raise _refused(folder, why) from None
    except BaseException:
        _remove(fresh, made)
        raise
    return [folder / name for name in writers]


def _put(ends: dict[str, Path], fresh: dict[str, Path], before: dict[str, Path]) -> None:
    """Move the new files to their places; where one cannot go there, what was there comes back."""
    done = []
    try:
        for name, end in ends.items():
            if end.exists():
                shutil.copy2(end, before[name])
        for name, end in ends.items():
            os.replace(fresh[name], end)
            done.append(name)
    except BaseException:
        for name in done:
            if before[name].exists():
                os.replace(before[name], ends[name])
            else:
                ends[name].unlink(missing_ok=True)
        raise
    finally:
        for place in before.values():
            place.unlink(missing_ok=True)


def _remove(fresh: dict[str, Path], made: list[Path]) -> None:
    for place in fresh.values():
        place.unlink(missing_ok=True)
    for place in made:
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _refused(folder: Path, why: OSError) -> ValueError:
    return ValueError(
        f"nothing can be written to --out {quoted(folder, 200)}: {why.strerror or why}; what is there is unchanged. "
        "Give another folder with --out, or make room"
    )
