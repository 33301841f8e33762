"""Directions: what an update points to once its size no longer counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Chain, Context, ParamSpec, Transform
from gradwright.core.dry_run import acts
from gradwright.core.number import WHOLE
from gradwright.core.ops import maximum, mean, minimum, norm, rms, where
from gradwright.core.transform import State
from gradwright.transforms.common.matrices import block_dimensions, check_blocks, from_blocks, in_blocks


@dataclass(frozen=True)
class Sign(Transform):
    """u ← sign(u), with sign(0) = 0."""

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return torch.sign(u), state


@dataclass(frozen=True)
class TrustRatio(Transform):
    """LAMB's and LARS's ratio: make the update as long as a share of the tensor it moves, u ← u · η φ(‖p‖) / ‖u‖.

    The ratio is 1 where either norm is zero, so that tensors that start at zero can leave it.

    Args:
        only: a selector of the parameters it applies to; the others pass unchanged.
        share: η; 1 in LAMB, 1e-3 in LARS.
        clip: the bounds of φ, which clips ‖p‖ to them; ``None`` for φ(x) = x.
    """

    only: str = "*"
    share: float = 1.0
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clip is None:
            return
        if not isinstance(self.clip, tuple) or len(self.clip) != 2:
            raise TypeError(f"TrustRatio: clip={self.clip!r}; give two bounds of ‖p‖, such as (0.0, 10.0), or None")
        if not 0 <= self.clip[0] <= self.clip[1]:
            raise ValueError(f"TrustRatio: clip={self.clip!r}; give the lower bound of ‖p‖ first, and at least 0")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        long, wide = norm(ctx.param), norm(u)
        aim = long if self.clip is None else minimum(maximum(long, self.clip[0]), self.clip[1])
        ratio = where((long > 0) & (wide > 0), self.share * aim / wide, torch.ones_like(wide))
        return u * ratio, state


@dataclass(frozen=True)
class ClipRms(Transform):
    """Adafactor's clip of the update (not of the gradient): u ← u / max(1, rms(u) / d).

    Args:
        threshold: d, greater than 0.
        each_matrix: clip each matrix of a stack by itself.
        split: how many equal blocks of rows a matrix consists of; with ``each_matrix`` each is clipped by itself.
    """

    threshold: float = 1.0
    each_matrix: bool = False
    split: int = 1
    bounds: ClassVar = {"threshold": (1e-12, math.inf), "split": (1, WHOLE)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split > 1 and not self.each_matrix:
            raise ValueError(f"ClipRms: split={self.split} has no effect without each_matrix=True")

    def check(self, spec: ParamSpec) -> None:
        check_blocks("ClipRms", spec, self.split)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        keep = block_dimensions(ctx.spec, self.split) if self.each_matrix else ()
        blocks = in_blocks(u, ctx.spec, self.split)
        clipped = blocks / maximum(rms(blocks, keep) / self.threshold, 1.0)
        return from_blocks(clipped, ctx.spec, self.split), state


@dataclass(frozen=True)
class Cautious(Transform):
    """Move only where update and gradient agree, and rescale to keep the tensor's mean step.

    mask = [u · g > 0];   u ← u · mask / max(mean(mask), 1e-3).

    The divisor is the one that is exactly 1 when every entry agrees; the paper's numel / (kept + 1) would halve the
    step of a single number. arXiv:2411.16085.
    """

    def check_order(self, before: Sequence[Transform]) -> None:
        if not acts(self, Chain(tuple(before))):
            raise ValueError(
                "Cautious masks the entries whose direction disagrees with the gradient, and without a momentum before "
                "it none ever does; give the recipe one (momentum=0.9, where it has that), or leave out cautious()"
            )

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        agrees = where(u * ctx.grad > 0, torch.ones_like(u), torch.zeros_like(u))
        return u * agrees / maximum(mean(agrees), 1e-3), state
