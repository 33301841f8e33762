"""Errors for names that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """An error that names the thing, the value, and the nearest names that exist.

    >>> str(unknown("task", "digit-mlp", ["digits-mlp", "stdlib-gpt"]))
    "unknown task 'digit-mlp': did you mean 'digits-mlp'? Known: digits-mlp, stdlib-gpt"
    """
    known = list(known)
    folded: dict[str, list[str]] = {}
    for each in known:
        folded.setdefault(each.casefold(), []).append(each)
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    nearest = [each for fold in close for each in folded[fold]]
    hint = f"did you mean {' or '.join(map(repr, nearest[:3]))}? " if nearest else ""
    listed = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return ValueError(f"unknown {kind} {name!r}: {hint}Known: {listed or 'none'}")
