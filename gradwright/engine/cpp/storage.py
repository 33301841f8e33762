"""How C++ kernels load and store values, one row for each storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core.blockwise import Companded, SquareRoot
from gradwright.core.counter import salt_of
from gradwright.core.half_weights import Split24, Split32, Stochastic
from gradwright.core.storage import Plain, Storage
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.operand import plain

TYPES = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "bf16", torch.float16: "half"}
"""What each type of torch is called in C++."""


@dataclass(frozen=True)
class Access:
    """How the entries of an operand are read and written.

    Attributes:
        types: the C++ type of each of its arrays.
        suffixes: what is appended to the operand's name for each.
        widen, narrow: the functions that take a block at a time to float and back, where there are such; conversions
            become vector code so, and entries that share a scale are together.
        random: whether ``narrow`` takes the place of the block and a key.
    """

    types: tuple[str, ...]
    suffixes: tuple[str, ...] = ("",)
    widen: str = ""
    narrow: str = ""
    random: bool = False

    @property
    def type(self) -> str:
        """The type of the array that has the operand's own name."""
        return self.types[0]

    @property
    def in_blocks(self) -> bool:
        return bool(self.widen)

    def load(self, place: str) -> str:
        """The value that stands at a place."""
        return f"widen({place})" if self.type == "bf16" else f"(C){place}"

    def store(self, value: str) -> str:
        """What is written there for a value."""
        return f"narrow({value})" if self.type == "bf16" else f"({self.type})({value})"

    def _places(self, name: str) -> str:
        where = {":scale": "g"}
        return ", ".join(f"p_{plain(name + suffix)} + {where.get(suffix, 'b')}" for suffix in self.suffixes)

    def widened(self, name: str) -> str:
        """Read a block of the operand ``name``: ``m`` entries from ``b`` on, whose first group is ``g``."""
        return f"{self.widen}(w_{plain(name)}, {self._places(name)}, m);"

    def narrowed(self, name: str) -> str:
        """Write a block."""
        drawn = f", (unsigned)b, key ^ {salt_of(name):#x}u" if self.random else ""
        return f"{self.narrow}({self._places(name)}, w_{plain(name)}, m{drawn});"


def _plain(storage: Plain) -> Access:
    if storage.dtype not in TYPES:
        raise Untraceable(f"the storage type {storage.dtype}")
    types = (TYPES[storage.dtype],)
    return Access(types, widen="widen_half", narrow="narrow_half") if types == ("half",) else Access(types)


def _blockwise(storage: Companded | SquareRoot) -> Access:
    if not storage.random:
        raise Untraceable("eight bits that are rounded to nearest")
    kind, code = ("square", "square8") if isinstance(storage, SquareRoot) else ("companded", "code8")
    return Access((code, "bf16"), storage.suffixes, f"widen_{kind}", f"narrow_{kind}", random=True)


def _split24(storage: Split24) -> Access:
    kind = "split24" if storage.dtype == torch.bfloat16 else "split24_half"
    return Access((TYPES[storage.dtype], "signed char"), storage.suffixes, f"widen_{kind}", f"narrow_{kind}")


def _split32(storage: Split32) -> Access:
    return Access(("bf16", "short"), storage.suffixes, "widen_split32", "narrow_split32")


def _stochastic(storage: Stochastic) -> Access:
    if storage.dtype == torch.bfloat16:
        return Access(("bf16",), widen="widen_bfloat16", narrow="narrow_drawn", random=True)
    return Access(("half",), widen="widen_half", narrow="narrow_drawn_half", random=True)


ACCESS: dict[type[Storage], Callable[[Any], Access]] = {
    Plain: _plain,
    Companded: _blockwise,
    SquareRoot: _blockwise,
    Split24: _split24,
    Split32: _split32,
    Stochastic: _stochastic,
}
"""From each storage to its loads and stores."""


def access(storage: Storage) -> Access:
    """How C++ reads and writes a storage.

    Raises:
        Untraceable: it has no row here.
    """
    if type(storage) not in ACCESS:
        raise Untraceable(f"the storage {storage}")
    return ACCESS[type(storage)](storage)
