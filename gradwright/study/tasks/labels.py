"""Names that users give: which can be shown, and how they are shown in one line."""

from __future__ import annotations

from gradwright.core.lines import one_line, unfit

__all__ = ["check_label", "one_line"]


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
    if bad := next((letter for letter in label if unfit(letter)), None):
        raise ValueError(f"the label {label!r} of {kind} holds {bad!r}, which no page can show: leave it out")
    return label
