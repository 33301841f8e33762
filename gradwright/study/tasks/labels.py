"""Names that users give: which can be shown, and how they are shown in one line."""

from __future__ import annotations

import unicodedata


def check_label(kind: str, label: str) -> str:
    """The label, if a reader can see it and a file can hold it.

    Args:
        kind: what it is the label of, for the error.
        label: any text but that. Line breaks and tabs are kept, and shown as spaces.

    Raises:
        ValueError: nothing of it can be seen, or it holds a control character or half of a surrogate pair.
    """
    if not label.strip():
        raise ValueError(f"the label of {kind} is {label!r}, of which nothing can be seen: name it")
    if bad := next((letter for letter in label if _unfit(letter)), None):
        raise ValueError(f"the label {label!r} of {kind} holds {bad!r}, which no page can show: leave it out")
    return label


def one_line(text: str, most: int | None = None) -> str:
    r"""The text in one line that can be shown: spaces for breaks and tabs, escapes for control characters.

    Args:
        text: any.
        most: letters from which on it is cut.

    >>> one_line("a\n b\x00"), one_line("abcdef", 4)
    ('a b\\x00', 'abc…')
    """
    line = " ".join(text.split())
    line = "".join(letter.encode("unicode_escape").decode() if _unfit(letter) else letter for letter in line)
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def _unfit(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind == "Cs" or (kind == "Cc" and letter not in "\t\n\r")
