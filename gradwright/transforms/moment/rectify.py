"""The first steps: what holds a method back while its second moment has seen few gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, Nest, Transform
from gradwright.core.ops import exp, maximum, minimum, sqrt
from gradwright.core.transform import STEP, State, UpdateCoroutine
from gradwright.transforms.common.bounds import FRACTION

ADAPTIVE_FROM = 5.0
"""The ρ above which RAdam trusts the moment: torch's. The paper writes 4, the authors' code at least 5."""


@dataclass(frozen=True)
class Rectify(Nest):
    """RAdam's rectification: shrink what a preconditioner makes for as long as its moment varies much.

    ρ∞ = 2 / (1 − β) − 1,   ρ = ρ∞ − 2 t βᵗ / (1 − βᵗ)
    u ← r · of(u),   r = √((ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ)),   once ρ > 5
    u ← u, or 0 with ``below="rest"``, before that.

    With β = 0.999 the first five steps are not adapted; with β of 2/3 or less none ever is. arXiv:1908.03265.

    Args:
        of: the preconditioner.
        beta: β of its moment, in [0, 1).
        below: what to do before ρ > 5: step along the ``"momentum"``, or ``"rest"``.

    >>> from gradwright.core import chain
    >>> from gradwright.transforms import Atan2, Ema, Full, Precondition, Scale
    >>> divided = Precondition(Full(0.999), Atan2())
    >>> rectified = chain(Ema(0.9, debias=True), Rectify(divided, 0.999), Scale(1e-3))
    """

    of: Transform
    beta: float
    below: Literal["momentum", "rest"] = "momentum"
    bounds: ClassVar = {"beta": FRACTION}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.below not in ("momentum", "rest"):
            raise ValueError(f"Rectify: below={self.below!r} is unknown; known are momentum, rest")

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        adapted, state, ctx = yield from self.run("of", u, state, ctx)
        power = self.beta**ctx.step
        limit = 2 / (1 - self.beta) - 1
        rho = limit - 2 * ctx.step * power / (1 - power)
        if rho > ADAPTIVE_FROM:
            u = adapted * sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
        elif self.below == "rest":
            u = torch.zeros_like(u)
        return u, state, ctx


@dataclass(frozen=True)
class UntunedWarmup(Nest):
    """A warm-up whose length follows from the β of the second moment; nothing to tune. arXiv:1910.04209.

    The learning rate of the part inside, wherever its formula has it, is multiplied by

    ω = 1 − exp(−(1 − β) t),   or min(1, (1 − β) t / 2) with ``shape="linear"``.

    With β = 0.999 the linear one lasts 2000 steps, with 0.95 it lasts 40. The combinator ``untuned_warmup`` puts it
    around every part of a recipe that has a learning rate.

    Args:
        of: the part, such as ``Scale(lr)`` or ``ScheduleFree(lr)``.
        beta: β of the second moment, in [0, 1).
        shape: ``"exponential"`` or ``"linear"``.

    Raises:
        ValueError: the part declares no :attr:`~gradwright.core.Part.rates`.
    """

    of: Transform
    beta: float = 0.999
    shape: Literal["exponential", "linear"] = "exponential"
    bounds: ClassVar = {"beta": FRACTION}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape not in ("exponential", "linear"):
            raise ValueError(f"UntunedWarmup: shape={self.shape!r} is unknown; known are exponential, linear")
        if not self.of.all_rates():
            raise ValueError(
                f"UntunedWarmup: of={type(self.of).__name__} declares no learning rate to warm up; put it around the "
                "part that has one, such as Scale"
            )

    @property
    def stage(self) -> int:  # type: ignore[override]
        return self.of.stage

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        age, powers = (1 - self.beta) * ctx.step, self.of.all_rates()
        share = minimum(1.0, age / 2) if self.shape == "linear" else 1 - exp(-age)
        of = self.of.map_knobs(lambda name, value: value * share ** powers[name] if name in powers else value)
        answer = yield from replace(self, of=of).run("of", u, state, ctx)
        return answer


@dataclass(frozen=True)
class GrowingClip(Transform):
    """ADOPT's clip of every entry to ±(t − 1)^power: nothing passes at the first step, and more at each later one.

    Args:
        power: 1/4 in the paper; below 8, beyond which nothing is clipped.
    """

    power: float = 0.25
    bounds: ClassVar = {"power": (0.0, 8.0)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        bound = (ctx.step - 1) ** self.power
        return maximum(minimum(u, bound), -bound), state


@dataclass(frozen=True)
class RestFirst(Transform):
    """Let a parameter rest at its first step, which only fills the state; decay that stands before it rests too."""

    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return (torch.zeros_like(u) if ctx.step == 1 else u), state
