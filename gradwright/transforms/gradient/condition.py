"""Conditions: what is done to a gradient before anything remembers it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, ParamSpec, Total, Transform
from gradwright.core.ops import maximum, mean, minimum, norm, rms, total, where
from gradwright.core.transform import CONDITION, State
from gradwright.transforms.common.rows import units

POSITIVE = (1e-30, math.inf)


@dataclass(frozen=True)
class Centralize(Transform):
    """Gradient centralisation: take its mean out of each unit's gradient, g ← g − mean(g) over dimensions 1, 2, ...

    arXiv:2004.01461. Applied twice it is the same as once. Under plain gradient descent the sum of a unit's weights
    keeps its first value; under Adam it does not. Units of a single weight are left alone, since nothing would be left
    of them.

    Args:
        only: a selector of the parameters it applies to; vectors and single numbers never are. ``"convolution"`` is
            the authors' variant for convolutions alone. The rows of an embedding are no units: they are looked up.
    """

    only: str = "!embedding"
    stage: ClassVar[int] = CONDITION

    def applies(self, spec: ParamSpec) -> bool:
        return spec.own_ndim > 1 and math.prod(spec.own_shape[1:]) > 1 and spec.matches(self.only)

    def check(self, spec: ParamSpec) -> None:
        if spec.is_complex and self.applies(spec):
            raise ValueError(
                f"Centralize: {spec} is complex, and a mean of its real and imaginary parts says nothing; give it to "
                "a recipe that is not centralized"
            )

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return (u - mean(u, units(ctx.spec)) if self.applies(ctx.spec) else u), state


@dataclass(frozen=True)
class ClipUnits(Transform):
    """Adaptive gradient clipping (AGC): no unit's gradient is longer than a share of the unit's weights.

    g ← g · min(1, limit / ‖g‖),   limit = λ max(‖w‖, ε), for each unit.   arXiv:2102.06171.

    A unit is an output: a row of a matrix, a kernel of a convolution in one, two or three dimensions, all of a vector.
    Deviation: the authors' code divides by max(‖g‖, 1e-6), which guards a division by zero that cannot happen here.
    A gradient that is not finite stays so.

    Args:
        factor: λ, greater than 0; 0.01 in the paper, more for small batches.
        floor: ε, so that weights of zero can move; 1e-3 in the paper.
        only: a selector of the parameters it applies to; the paper leaves the last layer out.
    """

    factor: float = 0.01
    floor: float = 1e-3
    only: str = "!head"
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"factor": POSITIVE}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        kept = units(ctx.spec)
        long, limit = norm(u, kept), self.factor * maximum(norm(ctx.param, kept), self.floor)
        return u * where(long > limit, limit / long, torch.ones_like(long)), state


@dataclass(frozen=True)
class SoftClip(Transform):
    """Bound the root mean square of a unit's gradient by that of its weights.

    limit = c max(rms(w), ε), for each unit
    g ← g / √(1 + (rms(g) / limit)²)       ``smooth``: small gradients pass, large ones approach the limit
    g ← g · min(1, limit / rms(g))          otherwise: a hard bound

    Units are those of :class:`ClipUnits`, of which the hard form with c = 1 is a relative in another norm. The floor
    is what lets weights that start at zero (biases, the last gain of a residual branch, one half of a LoRA pair) move.

    Args:
        factor: c, greater than 0.
        floor: ε, the least rms(w), as Adafactor has it.
        smooth: which of the two.
        only: a selector of the parameters it applies to.
    """

    factor: float = 1.0
    floor: float = 1e-3
    smooth: bool = True
    only: str = "*"
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"factor": POSITIVE, "floor": POSITIVE}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        kept = units(ctx.spec)
        size, limit = rms(u, kept), self.factor * maximum(rms(ctx.param, kept), self.floor)
        if self.smooth:
            excess = size / limit
            return u / torch.sqrt(1 + excess * excess), state
        return u * where(size > limit, limit / size, torch.ones_like(size)), state


@dataclass(frozen=True)
class ClipNorm(Transform):
    """Clip the norm of all gradients together: g ← g · min(1, c / ‖g‖), ‖g‖² = Σ g² over every parameter that clips.

    The sum runs across param groups and recipes, in float64, over parameters that have a gradient. Deviation from
    ``torch.nn.utils.clip_grad_norm_``: the factor is c / ‖g‖, without 1e-6 beside the norm, so that gradients shorter
    than c pass bit for bit.

    Args:
        max_norm: c, greater than 0.
        nonfinite: what becomes of the step where the norm is not finite. ``"spread"`` does as torch does: with a NaN
            all gradients become NaN; with an infinite norm finite gradients become 0 and infinite ones NaN, so that
            the fault is seen. ``"zero"`` takes all gradients as 0, so that no state is damaged.
    """

    max_norm: float = 1.0
    nonfinite: Literal["spread", "zero"] = "spread"
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"max_norm": POSITIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonfinite not in ("spread", "zero"):
            raise ValueError(f"ClipNorm: nonfinite={self.nonfinite!r} is unknown; known are spread, zero")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        squares = yield Total("gradient_norm2", total(u * u))
        long = torch.sqrt(squares)
        # c / max(‖g‖, c) is exactly 1 below the limit, and keeps a NaN
        clipped = u * (self.max_norm / maximum(long, self.max_norm))
        if self.nonfinite == "zero":
            clipped = where(torch.isfinite(long), clipped, torch.zeros_like(u))
        return clipped, state


@dataclass(frozen=True)
class ClipTensor(Transform):
    """Clip the norm of each tensor's gradient by itself: g ← g · min(1, c / ‖g‖). A NaN spreads over its tensor.

    No tensor waits for another, as with :class:`ClipNorm`, and the gradients of a model change their proportions.

    Args:
        max_norm: c, greater than 0.
    """

    max_norm: float = 1.0
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"max_norm": POSITIVE}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u * (self.max_norm / maximum(norm(u), self.max_norm)), state


@dataclass(frozen=True)
class Unscale(Transform):
    """Take back the factor that the loss was multiplied by before its backward: g ← g / s.

    Args:
        scale: s, greater than 0; a power of two changes no digit.
    """

    scale: float = 1.0
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"scale": POSITIVE}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u / self.scale, state

    def gather(self, u: Any, state: State, ctx: Context) -> tuple[Any, State]:
        return self.update(u, state, ctx)


@dataclass(frozen=True)
class ClipValue(Transform):
    """Clip each entry: g ← min(max(g, −c), c), as ``torch.nn.utils.clip_grad_value_``. A NaN stays one.

    Args:
        value: c, greater than 0.
    """

    value: float = 1.0
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"value": POSITIVE}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return minimum(maximum(u, -self.value), self.value), state
