"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write all or nothing: to a file beside it, then put in place. Links are followed, the permissions kept.

    Args:
        path: of the file; what is there before stays as it is if writing fails.
        content: bytes, or text that becomes UTF-8 with its line ends as they are.

    Raises:
        OSError: the disk is full, the folder is missing or cannot be written, or a folder is in the way.
        UnicodeEncodeError: the text holds half of a surrogate pair.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file() and not target.is_dir():
        target.write_bytes(data)  # a device or a pipe must not be replaced
        return
    mode = stat.S_IMODE(target.stat().st_mode) if target.is_file() else 0o666 & ~_umask()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
