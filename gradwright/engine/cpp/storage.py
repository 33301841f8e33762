"""How C++ kernels load and store values, one row for each storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core.storage import Plain, Storage
from gradwright.engine.graph.symbol import Untraceable

TYPES = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "bf16", torch.float16: "half"}
"""What each type of torch is called in C++."""


@dataclass(frozen=True)
class Access:
    """How the entries of an operand are read and written.

    Attributes:
        type: the C++ type in memory.
        in_blocks: whether conversions take a whole block at a time through a buffer, to become vector code.
    """

    type: str
    in_blocks: bool = False

    def load(self, place: str) -> str:
        """The value that stands at a place."""
        return f"widen({place})" if self.type == "bf16" else f"(C){place}"

    def store(self, value: str) -> str:
        """What is written there for a value."""
        return f"narrow({value})" if self.type == "bf16" else f"({self.type})({value})"


def _plain(storage: Plain) -> Access:
    if storage.dtype not in TYPES:
        raise Untraceable(f"the storage type {storage.dtype}")
    return Access(TYPES[storage.dtype], in_blocks=storage.dtype == torch.float16)


ACCESS: dict[type[Storage], Callable[[Any], Access]] = {Plain: _plain}
"""From each storage to its loads and stores."""


def access(storage: Storage) -> Access:
    """How C++ reads and writes a storage.

    Raises:
        Untraceable: it has no row here.
    """
    if type(storage) not in ACCESS:
        raise Untraceable(f"the storage {storage}")
    return ACCESS[type(storage)](storage)
