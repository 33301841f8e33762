"""Programs: the C++ files of this package, put together with what Python prints into them."""

from __future__ import annotations

import re
from pathlib import Path

OWN = re.compile(r'^#include "(\w+)\.h"\n', re.MULTILINE)


def program(file: Path, **printed: str) -> str:
    """The text of a C++ file in which each ``#include "name.h"`` is replaced by that header, once.

    A compiler is then given one text, whose digest names the compiled library.

    Args:
        file: its headers lie beside it.
        printed: the text of headers that are no files: ``types="..."`` stands for ``#include "types.h"``.
    """
    placed: set[str] = set()

    def header(found: re.Match[str]) -> str:
        name = found[1]
        if name in placed:
            return ""
        placed.add(name)
        text = printed[name] if name in printed else file.with_name(f"{name}.h").read_text(encoding="utf-8")
        return OWN.sub(header, text)

    return OWN.sub(header, file.read_text(encoding="utf-8"))
