"""How Triton kernels load and store values, one row for each storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core.storage import Plain, Storage
from gradwright.engine.graph.symbol import Untraceable

TYPES = {
    torch.float32: "tl.float32",
    torch.float64: "tl.float64",
    torch.bfloat16: "tl.bfloat16",
    torch.float16: "tl.float16",
}
"""What each type of torch is called in Triton."""


@dataclass(frozen=True)
class Access:
    """How the entries of an operand are read and written.

    Attributes:
        type: the type in memory.
    """

    type: str

    def load(self, loaded: str, real: str) -> str:
        """The value of what was loaded, in the computing type."""
        return f"{loaded}.to({real})"

    def store(self, value: str) -> str:
        """What is written for a value."""
        return f"bfloat16({value})" if self.type == "tl.bfloat16" else f"({value}).to({self.type})"


def _plain(storage: Plain) -> Access:
    if storage.dtype not in TYPES:
        raise Untraceable(f"the storage type {storage.dtype}")
    return Access(TYPES[storage.dtype])


ACCESS: dict[type[Storage], Callable[[Any], Access]] = {Plain: _plain}
"""From each storage to its loads and stores."""


def access(storage: Storage) -> Access:
    """How Triton reads and writes a storage.

    Raises:
        Untraceable: it has no row here.
    """
    if type(storage) not in ACCESS:
        raise Untraceable(f"the storage {storage}")
    return ACCESS[type(storage)](storage)
