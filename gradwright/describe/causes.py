"""Causes: what can be wrong with a run, how it shows and what to do, as the table of docs/observe.md, which
``python -m gradwright.describe.causes`` writes. All of it is read from the enum and the rules themselves.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradwright.observe.cause import Cause
from gradwright.observe.diagnosis import EXACT, FOLLOWS
from gradwright.observe.rules import RULES

FILE = Path(__file__).parents[2] / "docs" / "observe.md"
BEGIN, END = "<!-- begin causes -->\n", "<!-- end causes -->"


def causes_table() -> str:
    """A row for each cause, those that are seen and not inferred first."""
    lines = ["| cause | how it shows | what to do |", "|---|---|---|"]
    for cause in sorted(Cause, key=lambda one: one not in EXACT):
        says = f"`{cause.name}`{' (seen)' if cause in EXACT else ''}<br>{cause.value}"
        lines.append(f"| {says} | {_sign(RULES[cause])} | {_cell(remedy_of(RULES[cause]))} |")
    return "\n".join(lines)


def follows_table() -> str:
    """What is told as a consequence where a cause of it is found too."""
    lines = ["| where this is found | these are notes, named after it |", "|---|---|"]
    for cause in (one for one in Cause if one in FOLLOWS):
        effects = ", ".join(f"`{effect.name}`" for effect in Cause if effect in FOLLOWS[cause])
        lines.append(f"| `{cause.name}` | {effects} |")
    return "\n".join(lines)


def remedy_of(rule: Callable[..., Any]) -> str:
    """The remedy as a rule writes it, with dots for the numbers of a run: the fourth argument of ``finding``, or
    ``remedy=`` of what calls it.

    Raises:
        LookupError: it writes none.
    """
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(rule)))):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "remedy"]
            given += [node.args[3]] if getattr(node.func, "id", "") == "finding" else []
            if given:
                return _shown(given[0], inspect.getmodule(rule))
    raise LookupError(f"{rule.__name__} writes no remedy")


def _shown(node: ast.expr, module: Any) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_shown(part, module) for part in node.values)
    if isinstance(node, ast.Name) and isinstance(getattr(module, node.id, None), str):
        return str(getattr(module, node.id))
    return "…"


def _sign(rule: Callable[..., Any]) -> str:
    first, *_ = (inspect.getdoc(rule) or "").split("\n\n")
    return first.replace("\n", " ").replace("|", "\\|")


def _cell(remedy: str) -> str:
    return f"`{remedy}`".replace("|", "\\|")


def page(text: str) -> str:
    """The page with the tables between its marks."""
    head, _, rest = text.partition(BEGIN)
    told = "Where one thing follows from another, the first is told and the other becomes a note:"
    return f"{head}{BEGIN}\n{causes_table()}\n\n{told}\n\n{follows_table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    FILE.write_text(page(FILE.read_text()))
    print(FILE)
