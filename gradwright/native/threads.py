"""How many threads a compiled pass may use."""

from __future__ import annotations

import os

import torch

SMALL = 32768
"""Below this many numbers a second thread costs more than it brings."""

_forked = False


def _after_fork() -> None:
    # libgomp's threads do not survive a fork, and waiting for them would hang the child
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def threads_for(numel: int) -> int:
    """The threads for a pass over ``numel`` numbers: torch's, but one where they are few or the process was forked."""
    return 1 if _forked or numel < SMALL else torch.get_num_threads()
