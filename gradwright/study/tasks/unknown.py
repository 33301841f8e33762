"""Errors for names that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable

from gradwright.core.spelling import near


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """An error that names the thing, the value, and the nearest names that exist.

    >>> str(unknown("task", "digit-mlp", ["digits-mlp", "stdlib-gpt"]))
    "unknown task 'digit-mlp': did you mean 'digits-mlp'? Known: digits-mlp, stdlib-gpt"
    """
    known = list(known)
    close = near(name, known, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    listed = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return ValueError(f"unknown {kind} {name!r}: {hint}Known: {listed or 'none'}")
