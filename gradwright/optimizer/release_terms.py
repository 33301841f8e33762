"""Terms: the conditions under which gradients are used while others are still to come."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gradwright.core import Transform
from gradwright.transforms import ClipTensor, Unscale


class Terms(NamedTuple):
    """Under which conditions gradients are used as they come.

    Attributes:
        hold: bytes of gradients that may wait for each other, so that many small tensors are one kernel.
        scale: what the loss was multiplied by before its backward.
        clip_norm: the greatest norm, if there is one.
        clip_by: of what: each tensor by its own, or all by the norm of the step before.
    """

    hold: int
    scale: float = 1.0
    clip_norm: float | None = None
    clip_by: Literal["tensor", "previous"] = "tensor"

    def conditions(self, norm: float | Tensor | None) -> tuple[Transform, ...]:
        """The links before every chain: they undo the scale of the loss and clip.

        Args:
            norm: of all gradients at the step before, unscaled; ``None`` where it is not known.
        """
        if self.clip_norm is None:
            return (Unscale(self.scale),) if self.scale != 1 else ()
        if self.clip_by == "previous" and norm is not None and math.isfinite(norm):
            return (Unscale(self.scale * max(float(norm), self.clip_norm) / self.clip_norm),)
        return Unscale(self.scale), ClipTensor(self.clip_norm)


def square(grad: Tensor) -> Tensor:
    """Σ g² of one gradient, in double where the device has it, of whatever type g is."""
    real = torch.view_as_real(grad) if grad.is_complex() else grad
    wide = torch.float32 if real.element_size() < 4 else real.dtype
    norm = torch.linalg.vector_norm(real.detach(), dtype=wide)
    return norm.square() if norm.device.type == "mps" else norm.double().square()
