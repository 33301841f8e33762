"""What losses there are, and what one of them is, as plain text."""

from __future__ import annotations

import inspect
import re

import torch

from gradwright.losses.modules import settings_of
from gradwright.losses.table import LOSSES, SHORT, TRAITS, Entry

_SHOWN = (0.01, 0.1, 0.5, 0.9, 0.99)


def rows() -> list[tuple[str, str, str]]:
    """One row a loss: name, first sentence, traits."""
    return [
        (name, _plain(_doc(entry).split("\n\n")[0]), " ".join(sorted(entry.traits))) for name, entry in LOSSES.items()
    ]


def known(name: str) -> bool:
    """Whether there is a loss of this name."""
    return SHORT.get(name, name) in LOSSES


def explanation(name: str) -> str:
    """What the loss of this name is: its docstring, module, weight beside cross-entropy, traits and source.

    Raises:
        KeyError: there is none.
    """
    entry = LOSSES[SHORT.get(name, name)]
    lines = [entry.name, "=" * len(entry.name), "", _doc(entry), "", f"As a module: {_module(entry)}"]
    if entry.curve is not None:
        p = torch.tensor(_SHOWN, device="cpu")
        lines += ["", "What a sample counts beside cross-entropy, W(p), at the defaults"]
        lines += ["  p     " + "".join(f"{x:8g}" for x in _SHOWN)]
        lines += ["  W(p)  " + "".join(f"{x:8.3g}" for x in entry.weight(p).tolist())]
    lines += ["", "Traits"]
    lines += [f"  {trait}: {TRAITS[trait]}" for trait in sorted(entry.traits)]
    if entry.paper:
        lines += ["", f"Source: {entry.paper}"]
    return "\n".join(lines)


def _module(entry: Entry) -> str:
    settings = settings_of(entry.function).parameters.values()
    written = (p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in settings)
    return f"gradwright.losses.{entry.module.__name__}({', '.join(written)})(logits, target)"


def _doc(entry: Entry) -> str:
    return inspect.getdoc(entry.function) or ""


def _plain(text: str) -> str:
    """Without the marks of reStructuredText."""
    return re.sub(r":\w+:`([^`]*)`", r"\1", text).replace("``", "").replace("\n", " ")
