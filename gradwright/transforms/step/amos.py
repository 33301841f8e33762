"""ModelOrientedStep: Amos' step and decay, sized by the scale at which a model's weights are expected to end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import mean, sqrt
from gradwright.core.transform import STEP, Slots, State
from gradwright.transforms.common.rows import ROWS, row_dims


def expected_scale(spec: ParamSpec) -> float:
    """Amos' η of a parameter that is known by its role: the expected size of its entries once trained.

    ½ for biases and other vectors, 1 for the gains of norm layers, √(2 / width) for embeddings, √(2 / fan-in) for
    convolutions, which follow a ReLU as a rule, and √(1 / fan-in) for all other matrices.
    """
    if spec.matches("gain"):
        return 1.0
    if not spec.matches(ROWS):
        return 0.5
    fan_in = math.prod(spec.shape[len(row_dims(spec)) :])
    return math.sqrt((2 if spec.matches("embedding | convolution") else 1) / fan_in)


@dataclass(frozen=True)
class ModelOrientedStep(Transform):
    """Amos' step and decay, both of which fall as fast as the decay has worked. arXiv:2210.11693.

    With u = g / √v̂ from a ``Precondition`` whose moment is reduced over the same dimensions as b, and ḡ² the mean of
    this step's g² over them:

    c = 1 / √(1 + c₀ √ξ b),   d = 1 / (1 + d₀ √(ξ η) b),   γ = c ξ² ḡ² / v̂
    u ← d (ξ η u + (γ / 2 + λ) p);   b ← b + γ (1 + b)

    Args:
        size: ξ, the global learning rate.
        eta: η, the expected size of the entries; with ``by_role`` a factor of what :func:`expected_scale` says.
        extra_l2: λ, an L2 penalty outside of the theory and not multiplied by ξ.
        c_coef: c₀, how fast the decay falls.
        d_coef: d₀, how fast the step falls.
        by_role: tell η by the parameter's role.
        only: a selector of the parameters with one b a row; of the others one b is kept.
    """

    size: float
    eta: float = 1.0
    extra_l2: float = 0.0
    c_coef: float = 0.25
    d_coef: float = 0.25
    by_role: bool = True
    only: str = ROWS
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}
    reads_moment: ClassVar[bool] = True

    def slots(self, spec: ParamSpec) -> Slots:
        return {"b": Slot(keep=row_dims(spec, self.only))}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        assert ctx.moment is not None
        xi, b = self.size, state["b"]
        step = xi * self.eta * (expected_scale(ctx.spec) if self.by_role else 1.0)
        c = 1 / sqrt(1 + self.c_coef * sqrt(xi) * b)
        d = 1 / (1 + self.d_coef * sqrt(step) * b)
        rows = row_dims(ctx.spec, self.only)
        gamma = c * xi**2 * (mean(ctx.grad * ctx.grad, rows) / mean(ctx.moment, rows))
        return d * (step * u + (gamma / 2 + self.extra_l2) * ctx.param), {"b": b + gamma * (1 + b)}
