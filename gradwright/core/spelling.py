"""Spelling: the known words that a misspelt one may have meant. Every "did you mean" of the package is made here."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near(word: str, known: Iterable[str], count: int = 3, cutoff: float = 0.6) -> list[str]:
    """The known words that look most like ``word``, nearest first, whatever their capitals.

    Args:
        word: what was written.
        known: what could have been meant.
        count: how many at most.
        cutoff: how alike they must be, from 0 (anything) to 1 (the same letters).

    >>> near("adamw2", ["AdamW", "Adam", "SGD"])
    ['AdamW', 'Adam']
    """
    folded: dict[str, list[str]] = {}
    for each in known:
        folded.setdefault(each.casefold(), []).append(each)
    close = get_close_matches(str(word).casefold(), folded, n=count, cutoff=cutoff)
    return [each for fold in close for each in folded[fold]][:count]


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The known words that look most like ``word``, as the tail of an error message.

    Args:
        word: what was written.
        known: what could have been meant.
        otherwise: the answer where nothing looks alike.

    >>> nearest("embeding", ["embedding", "head"])
    "did you mean 'embedding'?"
    """
    found = near(word, known)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else otherwise
