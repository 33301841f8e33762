"""Process: run a compiler that may hang, and leave nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class TooLong(Exception):
    """It did not end in time; it and its children have been killed."""


def run(
    command: Sequence[str], seconds: float, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command in a group of processes of its own.

    Args:
        seconds: how long it may take.
        folder: where it runs.
        environment: variables beside this process's own.

    Returns:
        Its exit status, its output and its complaints, in the language of its programmers.

    Raises:
        TooLong: it took longer.
        OSError: it cannot be started.
    """
    child = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a compiler is a driver whose children do the work and would live on
    )
    try:
        said, complaints = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(child)
        raise TooLong from None
    except BaseException:
        _kill(child)
        raise
    return child.returncode, said.decode(errors="replace"), complaints.decode(errors="replace")


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    for pipe in (child.stdout, child.stderr):
        # not read to its end: somebody who left the group may hold the other one open for ever
        if pipe is not None:
            pipe.close()
    child.wait()
