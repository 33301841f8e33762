"""How Triton kernels load and store values, one row for each storage."""

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

TYPES = {
    torch.float32: "tl.float32",
    torch.float64: "tl.float64",
    torch.bfloat16: "tl.bfloat16",
    torch.float16: "tl.float16",
}
"""What each type of torch is called in Triton."""

PLACES = {":scale": "g"}
"""Where in an array the numbers of a block lie, unless they are its entries."""


@dataclass(frozen=True)
class Access:
    """How the entries of an operand are read and written.

    Attributes:
        types: the type in memory of each of its arrays.
        suffixes: what is appended to the operand's name for each.
        widen, narrow: the functions that make values of what was loaded, and that make what is stored of values, where
            a conversion of types does not.
        random: whether ``narrow`` takes a key and the places of the entries.
        grouped: whether neighbours share a scale.
    """

    types: tuple[str, ...]
    suffixes: tuple[str, ...] = ("",)
    widen: str = ""
    narrow: str = ""
    random: bool = False
    grouped: bool = False

    @property
    def type(self) -> str:
        """The type of the array that has the operand's own name."""
        return self.types[0]

    @property
    def is_plain(self) -> bool:
        return not self.widen and not self.narrow

    def arrays(self, name: str) -> list[tuple[str, str]]:
        """The arrays of the operand ``name`` with their types."""
        return [(name + suffix, kind) for suffix, kind in zip(self.suffixes, self.types)]

    def load(self, loaded: str, real: str) -> str:
        """The value of what was loaded from the array of the operand's own name, in the computing type."""
        return f"{loaded}.to({real})"

    def store(self, value: str) -> str:
        """What is written there for a value."""
        return f"bfloat16({value})" if self.type == "tl.bfloat16" else f"({value}).to({self.type})"

    def read(self, name: str, mask: str, real: str) -> str:
        """The values of a block of the operand ``name``."""
        loaded = [f"tl.load({_block(name, suffix)}{guard(_mask(suffix, mask))})" for suffix in self.suffixes]
        return f"{self.widen}({', '.join(loaded)})" if self.widen else self.load(loaded[0], real)

    def written(self, name: str, value: str, mask: str) -> list[str]:
        """Write a block of values to the operand ``name``."""
        made = {suffix: f"n_{plain(name + suffix)}" for suffix in self.suffixes}
        if self.narrow:
            given = f"tl.where({mask}, {value}, 0.0)" if self.grouped and mask else value
            given += f", key ^ {salt_of(name):#x}, b + i" if self.random else ""
            lines = [f"{', '.join(made.values())} = {self.narrow}({given})"]
        else:
            lines, made = [], {"": self.store(value)}
        masks = {suffix: f", mask={_mask(suffix, mask)}" if mask else "" for suffix in made}
        return lines + [f"tl.store({_block(name, suffix)}, {one}{masks[suffix]})" for suffix, one in made.items()]


def _block(name: str, suffix: str) -> str:
    return f"p_{plain(name + suffix)} + {PLACES.get(suffix, 'b + i')}"


def _mask(suffix: str, mask: str) -> str:
    return f"{mask}_{PLACES[suffix]}" if mask and suffix in PLACES else mask


def guard(mask: str) -> str:
    """What a load takes beside a pointer."""
    return f", mask={mask}, other=0.0" if mask else ""


def _plain(storage: Plain) -> Access:
    if storage.dtype not in TYPES:
        raise Untraceable(f"the storage type {storage.dtype}")
    return Access((TYPES[storage.dtype],))


def _blockwise(storage: Companded | SquareRoot) -> Access:
    if not storage.random:
        raise Untraceable("eight bits that are rounded to nearest")
    kind, code = ("square", "tl.uint8") if isinstance(storage, SquareRoot) else ("companded", "tl.int8")
    return Access((code, "tl.uint16"), storage.suffixes, f"widen_{kind}", f"narrow_{kind}", random=True, grouped=True)


def _split24(storage: Split24) -> Access:
    kind = "split24" if storage.dtype == torch.bfloat16 else "split24_half"
    return Access((TYPES[storage.dtype], "tl.int8"), storage.suffixes, f"widen_{kind}", f"narrow_{kind}")


def _split32(storage: Split32) -> Access:
    return Access(("tl.bfloat16", "tl.int16"), storage.suffixes, "widen_split32", "narrow_split32")


def _stochastic(storage: Stochastic) -> Access:
    narrow = "narrow_drawn" if storage.dtype == torch.bfloat16 else "narrow_drawn_half"
    return Access((TYPES[storage.dtype],), narrow=narrow, random=True)


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
    """How Triton reads and writes a storage.

    Raises:
        Untraceable: it has no row here.
    """
    if type(storage) not in ACCESS:
        raise Untraceable(f"the storage {storage}")
    return ACCESS[type(storage)](storage)
