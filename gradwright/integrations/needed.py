"""What is said where a library is not installed that a part of this package is about."""

from __future__ import annotations


def missing(part: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error for a part whose library is not there; another's, where that library itself lacks something.

    Args:
        part: its name, which is also that of the library and of the extra that installs it.
        error: what the import raised.

    >>> str(missing("timm", ModuleNotFoundError("No module named 'timm'", name="timm")))
    'gradwright.integrations.timm needs timm: pip install "gradwright[timm]"'
    """
    if error.name is None or error.name.partition(".")[0] != part:
        return error
    return ModuleNotFoundError(
        f'gradwright.integrations.{part} needs {part}: pip install "gradwright[{part}]"', name=error.name
    )
