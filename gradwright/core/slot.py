"""Declared state: what a transform remembers about one tensor between steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from gradwright.core.storage import Buffer, Storage

if TYPE_CHECKING:
    from gradwright.core.spec import ParamSpec


ROLES = ("moment", "square", "weight", "exact")


@dataclass(frozen=True)
class Slot:
    """A state tensor that a transform declares.

    Args:
        keep: the parameter's dimensions that the slot keeps; the others become 1.
            ``None``: like the parameter. ``()``: a single number, 0-d.
        shape: any other shape, already computed from the parameter's. Excludes ``keep``.
        start: the value every entry starts with; ``"param"`` fills the slot with the parameter as it
            stands before that parameter's first step (so that weights loaded after construction count).
        role: what it is, from which the group's policy makes how it is held where it is as large as the parameter.
            ``"moment"``: of either sign, an average like the gradient's that forgets within some hundred steps;
            ``"square"``: never negative, like the square of the gradient; ``"weight"``: like the weights, which
            ``start="param"`` makes it; ``"exact"``: what no few bits can hold, and whatever nobody described.
        dtype: stored as this, whatever the policy. ``None``: as the policy says at full size; at least float32 where
            the slot is smaller (a sum over many entries would drown in bfloat16); float64 where it is shared.
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
    role: Literal["moment", "square", "weight", "exact"] = "exact"

    def __post_init__(self) -> None:
        if self.start == "param":
            object.__setattr__(self, "role", "weight")
        if self.role not in ROLES:
            raise ValueError(f"Slot: role={self.role!r} is unknown; known are {', '.join(ROLES)}")
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

    def storage_for(self, spec: ParamSpec) -> Storage:
        """How this slot is held beside a parameter of ``spec``."""
        return spec.policy.of_slot(self, spec)

    def dtype_for(self, spec: ParamSpec) -> torch.dtype:
        """The type of the array that has the slot's own name, beside a parameter of ``spec``."""
        return self.storage_for(spec).buffers(())[0].dtype

    def arrays_for(self, key: str, spec: ParamSpec) -> dict[str, Buffer]:
        """The arrays that hold this slot, by their names in the state."""
        return {key + one.suffix: one for one in self.storage_for(spec).buffers(self.shape_for(spec))}

    def nbytes_for(self, spec: ParamSpec) -> int:
        """The bytes of this slot beside a parameter of ``spec``."""
        return self.storage_for(spec).nbytes(self.shape_for(spec))


@dataclass(frozen=True)
class HostScalar:
    """A state float of one parameter: double precision, kept on the host, a scalar argument of its kernel.

    Use it for what depends on step counts and knobs alone, such as a running product of betas.
    """

    start: float = 0.0
