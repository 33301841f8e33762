"""Rivals: optimizers of other packages, where they are installed."""

from __future__ import annotations

import importlib
from typing import Any

PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "Lion": (("pytorch_optimizer", "Lion"), ("optimi", "Lion"), ("lion_pytorch", "Lion")),
    "AdaBelief": (("pytorch_optimizer", "AdaBelief"), ("adabelief_pytorch", "AdaBelief")),
    "Adan": (("pytorch_optimizer", "Adan"), ("optimi", "Adan"), ("adan", "Adan")),
    "Lamb": (("pytorch_optimizer", "Lamb"), ("torch_optimizer", "Lamb")),
    "Prodigy": (("prodigyopt", "Prodigy"), ("pytorch_optimizer", "Prodigy")),
}
"""Where an optimizer of a name is found, as (module, class)."""


def installed(name: str) -> dict[str, Any]:
    """The classes of this name that can be imported, by package."""
    found = {}
    for module, kind in PACKAGES[name]:
        try:
            found[module] = getattr(importlib.import_module(module), kind)
        except (ImportError, AttributeError):
            continue
    return found


def missing(name: str) -> str:
    """What to install, in a sentence."""
    return f"no rival is installed; have one of {', '.join(module for module, _ in PACKAGES[name])}"
