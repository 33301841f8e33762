"""Schedule-free learning: an average of the iterates takes the place of learning-rate decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core import Context, HostScalar, Nest, ParamSpec, Part, Slot, Transform
from gradwright.core.ops import maximum, minimum, sqrt
from gradwright.core.transform import WEIGHTS, Slots, State, UpdateCoroutine

TRUSTED_FROM = 4.0
"""The ρ above which a second moment is trusted; the authors' code and the paper of RAdam have 4, torch's RAdam 5."""


def _length(beta: Any, t: Any) -> tuple[Any, Any]:
    """How many gradients an average of age ``t`` stands for, RAdam's ρ, and the limit of that."""
    power, limit = beta**t, 2 / (1 - beta) - 1
    return limit - 2 * t * power / (1 - power), limit


@dataclass(frozen=True)
class OnceTrusted(Nest):
    """What a preconditioner makes once its moment can be trusted, ρ > 4, and the update as it was before that.

    ρ = ρ∞ − 2 t βᵗ / (1 − βᵗ),   ρ∞ = 2 / (1 − β) − 1.   arXiv:1908.03265.

    Args:
        of: the preconditioner.
        beta: β of its moment, in [0, 1).
    """

    of: Transform
    beta: float
    bounds: ClassVar = {"beta": (0.0, 1.0)}

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        made, state, ctx = yield from self.run("of", u, state, ctx)
        rho, _ = _length(self.beta, ctx.step)
        return (made if rho > TRUSTED_FROM else u), state, ctx


@dataclass(frozen=True)
class Rectification(Part):
    """RAdam's factor on a step size: a field of ``ScheduleFree``, not a transform.

    factor = √((ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ)) once ρ > 4;   before that 1, or 0 with ``silent``.

    Args:
        beta: β of the second moment, in [0, 1).
        silent: rest until the moment can be trusted.
    """

    beta: float = 0.999
    silent: bool = True
    bounds: ClassVar = {"beta": (0.0, 1.0)}

    def factor(self, t: Any) -> Any:
        rho, limit = _length(self.beta, t)
        if rho > TRUSTED_FROM:
            return sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
        return 0.0 if self.silent else 1.0


@dataclass(frozen=True)
class ScheduleFree(Transform):
    """Train at y, between a fast iterate z and its running average x, and evaluate at x; no schedule is needed.

    η = size · min(1, t / warmup),   w = tʳ · (largest η so far)ᵖ,   c = w / Σ w
    z⁺ = z − η (u + λ z),   x⁺ = (1 − c) x + c z⁺,   y⁺ = β x⁺ + (1 − β) z⁺

    The parameter holds y, the state holds z and the β with which y was made, and x = y + (1 − 1/β)(z − y). So x stays
    the average of all z while a schedule changes β. Where no weight has been gathered yet, c = 0. arXiv:2405.15682.

    Args:
        size: the learning rate; its schedule, if any, enters the weights w.
        beta: β, in (0, 1).
        warmup: steps over which η rises; 0 for none.
        r: power of t in w.
        power: p, power of η in w.
        decay: λ, weight decay taken at z; for decay at y put ``Decay`` before.
        rectify: a factor on η that depends on the age alone.
    """

    size: float
    beta: float = 0.9
    warmup: float = 0.0
    r: float = 0.0
    power: float = 2.0
    decay: float = 0.0
    rectify: Rectification | None = None
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    places: ClassVar[str] = "between its iterate and the average of that"
    bounds: ClassVar = {"beta": (1e-6, 1.0)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {
            "z": Slot(start="param"),
            "weight_sum": HostScalar(),
            "size_max": HostScalar(),
            "share": HostScalar(1.0),
        }

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        # no Python decisions: a kernel would be made again when a schedule turns
        eta = self.size * minimum(1.0, ctx.step / maximum(self.warmup, 1.0))
        if self.rectify is not None:
            eta = eta * self.rectify.factor(ctx.step)
        size_max = maximum(state["size_max"], eta)
        weight = ctx.step**self.r * size_max**self.power
        weight_sum = state["weight_sum"] + weight
        c = weight / weight_sum if weight_sum > 0 else 0.0
        y, z = ctx.param, state["z"]
        step = eta * (u + self.decay * z)
        kept = self.beta * (1 - c)
        move = (1 - kept / state["share"]) * (y - z) + (1 - kept) * step
        return move, {"z": z - step, "weight_sum": weight_sum, "size_max": size_max, "share": self.beta}

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        return p + (1 - 1 / state["share"]) * (state["z"] - p)
