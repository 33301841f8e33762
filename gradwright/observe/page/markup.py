"""Elements of a page. What is not markup already is escaped, so that no name can break out of its place."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from gradwright.core.lines import one_line

VOID = ("img", "input", "meta", "br", "col")


class Markup(str):
    """Text that is markup, and stays as it is."""

    __slots__ = ()


def markup(content: Any) -> Markup:
    """The content as markup: joined where it is a list, nothing for None, escaped where it is plain text.

    >>> markup(["a < b", element("b", "&")])
    'a &lt; b<b>&amp;</b>'
    """
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, Iterable) and not isinstance(content, str):
        return Markup("".join(markup(each) for each in content))
    return Markup(html.escape(_shown(content)))


def element(tag: str, *content: Any, **attributes: Any) -> Markup:
    """An element with its attributes; ``class_`` is class, other underscores are hyphens.

    >>> element("a", "x", class_="big", title='"', data_row=3, hidden=None)
    '<a class="big" title="&quot;" data-row="3">x</a>'
    """
    said = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(_shown(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{said}>" if tag in VOID else f"<{tag}{said}>{markup(content)}</{tag}>")


def _shown(value: Any) -> str:
    """The value as text that a page can hold; blanks at its ends stay."""
    text = str(value)
    before, after = (" " if each.isspace() else "" for each in (text[:1], text[1:][-1:]))
    return f"{before}{one_line(text)}{after}"
