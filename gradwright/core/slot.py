"""Declared state: what a transform remembers about one tensor between steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from gradwright.core.storage import Plain, Storage

if TYPE_CHECKING:
    from gradwright.core.spec import ParamSpec


@dataclass(frozen=True)
class Slot:
    """A state tensor that a transform declares.

    Args:
        keep: the parameter's dimensions that the slot keeps; the others become 1.
            ``None``: like the parameter. ``()``: a single number, 0-d.
        shape: any other shape, already computed from the parameter's. Excludes ``keep``.
        start: the value every entry starts with; ``"param"`` fills the slot with the parameter as it
            stands before that parameter's first step (so that weights loaded after construction count).
        dtype: stored as this. ``None``: the parameter's own type at full size; at least float32 where the
            slot is smaller (a sum over many entries would drown in bfloat16); float64 where it is shared.
        shared: one value for the whole optimizer, known by its bare name, computed only from totals,
            the loss and other shared values.
        fixed: filled once and never written again (an anchor such as the initial weights).
        of: the shape whose dimensions ``keep`` counts, where that is not the parameter's own but one in which it is
            seen, such as (3, d, d) for three matrices that are stored as one.
    """

    keep: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None
    start: float | Literal["param"] = 0.0
    dtype: torch.dtype | None = None
    shared: bool = False
    fixed: bool = False
    of: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and self.shape is not None:
            raise ValueError("Slot: give keep or shape, not both")
        if self.of is not None and self.keep is None:
            raise ValueError("Slot: of= says what keep= counts; give keep too")
        if self.start == "param" and not self.full_size:
            raise ValueError('Slot: start="param" needs a slot like the parameter (keep=None, shape=None)')
        if self.shared and self.full_size:
            raise ValueError("Slot: a shared slot needs keep=() or a shape, since tensors differ in size")

    @property
    def full_size(self) -> bool:
        return self.keep is None and self.shape is None

    def shape_for(self, spec: ParamSpec) -> tuple[int, ...]:
        """The shape this slot has beside a parameter of ``spec``."""
        if self.shape is not None:
            return self.shape
        if self.keep is None:
            return spec.shape
        if not self.keep:
            return ()
        shape = spec.shape if self.of is None else self.of
        kept = {dim % len(shape) for dim in self.keep}
        return tuple(size if dim in kept else 1 for dim, size in enumerate(shape))

    def dtype_for(self, spec: ParamSpec) -> torch.dtype:
        """The type this slot is stored in beside a parameter of ``spec``."""
        if self.dtype is not None:
            return self.dtype
        if self.shared:
            return torch.float64
        return spec.dtype if self.full_size else spec.computing_dtype

    def storage_for(self, spec: ParamSpec) -> Storage:
        """How this slot is held beside a parameter of ``spec``."""
        return Plain(self.dtype_for(spec))


@dataclass(frozen=True)
class HostScalar:
    """A state float of one parameter: double precision, kept on the host, a scalar argument of its kernel.

    Use it for what depends on step counts and knobs alone, such as a running product of betas.
    """

    start: float = 0.0
