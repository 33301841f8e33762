"""Whether a study can be written to a folder, found out beforehand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gradwright.core.files import write

__all__ = ["writable", "write"]


def writable(folder: str | os.PathLike[str], names: Iterable[str] = (), then: str = "") -> Path:
    """The folder, made if need be, after a trial file could be written there.

    Args:
        folder: its path.
        names: of the files that are to be written there.
        then: what an error adds, a sentence.

    Raises:
        ValueError: it cannot be made or written, or a folder has the name of one of the files.
    """
    path = Path(folder)
    if not str(folder).strip():
        raise ValueError(f"out={str(folder)!r} cannot be written: it names no folder; '.' is the current one. {then}")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise ValueError(f"out={str(folder)!r} cannot be written ({said}): name a folder that can. {then}") from error
    for name in names:
        if (path / name).is_dir():
            raise ValueError(
                f"out={str(folder)!r} cannot be written: {name} in it is a folder; move it, or name another one. {then}"
            )
    return path


def vacant(folder: str | os.PathLike[str], name: str) -> Path:
    """The folder if it holds no file of that name, else one beside it that does not: ``report-2`` and so on.

    Args:
        folder: its path, which need not exist.
        name: of the file.

    >>> vacant("no such folder", "results.json").name
    'no such folder'
    """
    path = Path(folder)
    base = path / "report" if path.name in ("", "..") else path
    candidates = (path, *(base.with_name(f"{base.name}-{number}") for number in range(2, 10_000)))
    return next((each for each in candidates if not (each / name).exists()), path)
