"""Text that others wrote, made fit to be shown in one line."""

from __future__ import annotations

import unicodedata


def one_line(text: str, most: int | None = None) -> str:
    r"""The text in one line that can be shown: spaces for breaks and tabs, escapes for control characters.

    Args:
        text: any.
        most: letters from which on it is cut.

    >>> one_line("a\n b\x00"), one_line("abcdef", 4)
    ('a b\\x00', 'abc…')
    """
    line = " ".join(text.split())
    line = "".join(letter.encode("unicode_escape").decode() if unfit(letter) else letter for letter in line)
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def unfit(letter: str) -> bool:
    """Whether no page can show it: a control character, or half of a surrogate pair."""
    kind = unicodedata.category(letter)
    return kind == "Cs" or (kind == "Cc" and letter not in "\t\n\r")
