"""Save: a fitted model with skops where it is installed, since loading that runs no code, else with joblib."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any


def name() -> str:
    """The name of the file."""
    return "model.skops" if find_spec("skops") else "model.joblib"


def about() -> str:
    """What to know of it, in words."""
    if find_spec("skops"):
        return "saved with skops"
    return "saved with joblib; load only files you trust (pip install skops for a format that runs no code)"


def save(model: Any, place: Path) -> None:
    """Write the model."""
    if find_spec("skops"):
        import skops.io

        skops.io.dump(model, place)
        return
    import joblib

    joblib.dump(model, place)
