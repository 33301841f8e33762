"""Trust: a file is run only where nobody but its user can have written it.

To load a library, or a module, is to run it. A digest that lies beside it proves that it is whole, not who wrote it;
owner and permissions of the file, of its folder and of all folders above do.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
ROOT, NOBODY = 0, 65534
"""Whose folders may lie above one's own. In a container root may be shown as nobody."""


OWNED = hasattr(os, "geteuid")
"""Whether files have owners here."""


class Distrusted(OSError):
    """Somebody else may have written it; the message names it and says why."""


def user() -> int:
    """Whose files this process makes."""
    return os.geteuid() if OWNED else 0


def check_folder(folder: Path) -> None:
    """Make sure that nobody else can put a file into a folder, or another folder in its place.

    What is not there yet is nobody's, so it is passed over.

    Args:
        folder: an absolute path.

    Raises:
        Distrusted: somebody can.
        OSError: it cannot be looked at.
    """
    if not OWNED:
        return
    for part in (*reversed(folder.parents), folder):
        facts = _facts(part)
        if facts is None:
            break
        if stat.S_ISLNK(facts.st_mode) and facts.st_uid not in (user(), ROOT, NOBODY):
            raise Distrusted(f"{part} is a link that belongs to user {facts.st_uid}")
    real = folder.resolve()
    for parent in real.parents:
        facts = _facts(parent)
        if facts is not None:
            _check_parent(parent, facts)
    facts = _facts(real)
    if facts is not None:
        _check_own(real, facts)


def read_own(file: Path) -> bytes:
    """The content of a file that is the user's own.

    Raises:
        Distrusted: it is somebody else's, others may write it, or it is no plain file.
        OSError: there is none, or it cannot be read.
    """
    if file.is_symlink():
        raise Distrusted(f"{file} is a link")
    # neither follow a link that is put there now, nor wait for who writes to a pipe
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as opened:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise Distrusted(f"{file} is no plain file")
        _check_own(file, facts)
        return opened.read()


def is_own(path: Path) -> bool:
    """Whether something that is no link belongs to the user."""
    facts = _facts(path)
    return facts is not None and not stat.S_ISLNK(facts.st_mode) and (not OWNED or facts.st_uid == user())


def _facts(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _check_own(path: Path, facts: os.stat_result) -> None:
    if not OWNED:
        return
    if facts.st_uid != user():
        raise Distrusted(f"{path} belongs to user {facts.st_uid}")
    if facts.st_mode & OTHERS_WRITE:
        mode = stat.S_IMODE(facts.st_mode)
        raise Distrusted(f"{path} may be written by others (mode {mode:o}), so remove it, or chmod go-w what you trust")


def _check_parent(path: Path, facts: os.stat_result) -> None:
    if facts.st_uid not in (user(), ROOT, NOBODY):
        raise Distrusted(f"the folder {path} above it belongs to user {facts.st_uid}")
    # who may write a folder may put another in the place of one inside, unless the sticky bit keeps that to its owner
    open_to = facts.st_mode & OTHERS_WRITE
    if not open_to or facts.st_mode & stat.S_ISVTX or (open_to == stat.S_IWGRP and _is_alone_in(facts.st_gid)):
        return
    raise Distrusted(f"others may write the folder {path} above it (mode {stat.S_IMODE(facts.st_mode):o})")


def _is_alone_in(group: int) -> bool:
    """Whether a group is the user's private one, as many systems give everybody, with folders that it may write."""
    import grp
    import pwd

    try:
        entry, me = grp.getgrgid(group), pwd.getpwuid(user())
    except KeyError:
        return False
    return group == me.pw_gid and entry.gr_name == me.pw_name and not {*entry.gr_mem} - {me.pw_name}
