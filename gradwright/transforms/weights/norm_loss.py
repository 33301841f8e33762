"""NormLoss: what pulls the weights of each unit towards length one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, Transform
from gradwright.core.ops import maximum, norm
from gradwright.core.transform import STEP, State
from gradwright.transforms.common.rows import units


@dataclass(frozen=True)
class NormLoss(Transform):
    """Pull each unit's weights towards length one, from both sides: u ← u + 2 λ (1 − 1 / max(‖w‖, δ)) w.

    The pull is the gradient of λ Σ (1 − ‖w‖)² over the units, decoupled from the direction as decay is.
    arXiv:2103.06583. A unit is an output: a row of a matrix, a kernel of a convolution in one, two or three dimensions.

    Deviations from published ports: δ bounds the pull on weights near zero, which they enlarge up to 1 / ε = 1e8
    times; a kernel of a one-dimensional convolution is one unit, of which they regularise each column; and biases and
    gains, which they pull to length one too, are left alone.

    Args:
        strength: λ.
        floor: δ, greater than 0: below this length the pull fades with the weights.
        only: a selector of the parameters it applies to.
    """

    strength: float
    floor: float = 1e-3
    only: str = "!vector & !scalar & !bias & !norm & !embedding"
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"floor": (1e-30, math.inf)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        length = maximum(norm(ctx.param, units(ctx.spec)), self.floor)
        return u + 2 * self.strength * (1 - 1 / length) * ctx.param, state
