"""Layout: how the tensors of a plan lie in memory, which every printer prints its kernels for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.core import Chain, ParamSpec, Slot
from gradwright.engine.plan import Plan


@dataclass(frozen=True)
class Layout:
    """How a plan's tensors are stored.

    Attributes:
        computing: the type of the arithmetic.
        stored, vectors, singles: the types of the plan's tables, vectors and singles.
        maximize: whether gradients are read with the other sign.
    """

    computing: torch.dtype
    stored: tuple[torch.dtype, ...]
    vectors: tuple[torch.dtype, ...]
    singles: tuple[torch.dtype, ...]
    maximize: bool


def layout_of(chain: Chain, spec: ParamSpec, made: Plan, maximize: bool) -> Layout:
    """How the tensors of a plan are stored beside a parameter of ``spec``."""
    slots = chain.slots(spec)

    def stored(name: str) -> torch.dtype:
        if name.startswith("@"):
            return spec.computing_dtype
        if name.startswith("+"):
            return torch.float64
        slot = slots.get(name)
        return slot.dtype_for(spec) if isinstance(slot, Slot) else spec.dtype

    tables, vectors, singles = (tuple(map(stored, names)) for names in (made.tables, made.vectors, made.singles))
    return Layout(spec.computing_dtype, tables, vectors, singles, maximize)


def lies_as(value: Tensor, like: Tensor) -> bool:
    """Whether ``value`` can be read where ``like`` is expected: same type, same strides, nothing left to negate."""
    return value.stride() == like.stride() and value.dtype == like.dtype and not value.is_neg()


def laid_as(value: Tensor, like: Tensor) -> Tensor:
    """A copy of ``value`` in the type and memory layout of ``like``."""
    return torch.empty_like(like).copy_(value)
