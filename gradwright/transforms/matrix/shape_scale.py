"""ShapeScale and Rescale: how large an orthogonal update is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.ops import norm, where
from gradwright.core.transform import State
from gradwright.transforms.common.matrices import (
    Split,
    block_rows,
    check_matrix,
    check_split,
    is_stack,
    matrix_shape,
    per_block,
)

RULES: dict[str, Callable[[int, int], float]] = {
    "original": lambda n, m: math.sqrt(max(1.0, n / m)),
    "match_rms_adamw": lambda n, m: 0.2 * math.sqrt(max(n, m)),
    "spectral": lambda n, m: math.sqrt(max(n, m)),
    "unit_rms_norm": lambda n, m: math.sqrt(n / m),
}
"""The factor for n rows, which are the outputs, and m columns."""


@dataclass(frozen=True)
class ShapeScale(Transform):
    """Scale an orthogonal update to the shape (n, m) of its matrix, n rows being the outputs.

    Args:
        rule: ``"original"``: √max(1, n / m), Keller Jordan's, for which lr is a spectral norm;
            ``"match_rms_adamw"``: 0.2 √max(n, m), Moonlight's, for which lr is what AdamW would use;
            ``"spectral"``: √max(n, m), for which lr is the root mean square of the step;
            ``"unit_rms_norm"``: √(n / m), Bernstein's and Scion's, for which lr is the largest change of an output's
            root mean square by inputs of root mean square one. The first two are torch's names, the others NVIDIA's.
        split: the blocks of rows that are matrices of their own; see :class:`Orthogonalize`.
    """

    rule: Literal["original", "match_rms_adamw", "spectral", "unit_rms_norm"] = "original"
    split: Split = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in RULES:
            raise ValueError(f"ShapeScale: rule={self.rule!r} is unknown; known are {', '.join(RULES)}")
        check_split("ShapeScale", self.split)

    def check(self, spec: ParamSpec) -> None:
        check_matrix("ShapeScale", spec, self.split)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        _, columns = matrix_shape(ctx.spec)
        factor = {rows: RULES[self.rule](rows, columns) for rows in block_rows(ctx.spec, self.split)}
        if len(factor) == 1:
            return u * next(iter(factor.values())), state
        return per_block(lambda block: block * factor[block.shape[-2]], ctx.spec, self.split, u), state


@dataclass(frozen=True)
class Rescale(Transform):
    """Give every matrix of an update the same size, whatever it was: u ← u · c / ‖u‖, and 0 where u is 0.

    Args:
        size: of the root mean square, or of the singular values.
        rule: ``"rms"``: c = size · √(n m), the exact form of matching AdamW's step (NorMuon's paper);
            ``"polar"``: c = size · √min(n, m), the norm of a matrix whose singular values are all ``size`` (Muon+).
        split: the blocks of rows that are matrices of their own; see :class:`Orthogonalize`.
    """

    size: float = 0.2
    rule: Literal["rms", "polar"] = "rms"
    split: Split = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in ("rms", "polar"):
            raise ValueError(f"Rescale: rule={self.rule!r} is unknown; known are rms, polar")
        check_split("Rescale", self.split)

    def check(self, spec: ParamSpec) -> None:
        check_matrix("Rescale", spec, self.split)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        _, columns = matrix_shape(ctx.spec)

        def rescaled(block: Any, rows: int, keep: tuple[int, ...] = ()) -> Any:
            count = rows * columns if self.rule == "rms" else min(rows, columns)
            length = norm(block, keep)
            return where(length == 0, torch.zeros_like(block), block * (self.size * math.sqrt(count) / length))

        if self.split == 1 and not is_stack(ctx.spec):
            return rescaled(u, block_rows(ctx.spec, 1)[0]), state
        blocks = per_block(lambda b: rescaled(b, b.shape[-2], tuple(range(b.dim() - 2))), ctx.spec, self.split, u)
        return blocks, state
