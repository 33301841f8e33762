"""Save: a fitted model, with skops where it is installed, since loading that runs no code, else with joblib."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gradwright.core.warn import warn_user
from gradwright.linear_model.fit_table.encoder import Encoder
from gradwright.linear_model.fit_table.text import listed, quoted, shown

OURS = "gradwright."
"""Types of this package may be made while a file of skops is read; those of others are refused."""

UNTRUSTED = "a joblib file may run any code while it is loaded: load it only where you trust who made it"


def name() -> str:
    """The name of the file."""
    return "model.skops" if find_spec("skops") else "model.joblib"


def about() -> str:
    """What to know of it, in words."""
    if find_spec("skops"):
        return "saved with skops, which runs no code of the file when it is loaded"
    return f"saved with joblib; {UNTRUSTED} (pip install skops for a format that runs none)"


def save(model: Any, place: Path) -> None:
    """Write the model."""
    if find_spec("skops"):
        import skops.io

        skops.io.dump(model, place)
        return
    import joblib

    joblib.dump(model, place)


def load_model(path: str | Path, warn: Callable[[str], None] = warn_user) -> Any:
    """A model that ``gradwright fit`` saved.

    Args:
        path: of the .skops or .joblib file.
        warn: called with the warning that a joblib file deserves.

    Raises:
        ValueError: there is no such file, it is damaged or no such model, skops is not installed, or a file of skops
            asks for types of other packages.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {quoted(path, 200)}; give the model that gradwright fit wrote")
    if path.suffix == ".skops":
        read = _skops
    elif path.suffix in (".joblib", ".pkl", ".pickle"):
        warn(f"{path.name}: {UNTRUSTED}")
        read = _joblib
    else:
        raise ValueError(f"{path.name} is neither .skops nor .joblib; give the model that gradwright fit wrote")
    try:
        model = read(path)
    except ValueError:
        raise
    except Exception as why:
        raise ValueError(f"{path.name} cannot be loaded: {shown(why, 200)}; is it whole?") from None
    if not (hasattr(model, "steps") and isinstance(model.steps[0][1], Encoder)):
        raise ValueError(f"{path.name} holds a {type(model).__name__}, which gradwright fit did not write")
    return model


def _skops(path: Path) -> Any:
    if not find_spec("skops"):
        raise ValueError(f"{path.name} was saved with skops: pip install skops")
    import skops.io

    types = skops.io.get_untrusted_types(file=path)
    strange = [each for each in types if not each.startswith(OURS)]
    if strange:
        raise ValueError(
            f"{path.name} asks for {listed(strange, 3)}, which no model of gradwright fit holds; is it one?"
        )
    return skops.io.load(path, trusted=types)


def _joblib(path: Path) -> Any:
    import joblib

    return joblib.load(path)
