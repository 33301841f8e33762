"""Polyak's step: as far as the loss says that there is still to go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Context, ParamSpec, Slot, Total, Transform
from gradwright.core.ops import exp, log, maximum, minimum, total, where
from gradwright.core.transform import WEIGHTS, Slots, State

LENGTH_OF_L1 = math.sqrt(math.pi / 2)
"""‖g‖₁ times this is the sum of the standard deviations of entries that are normal around zero."""

SHARE = (1e-6, 1.0)


@dataclass(frozen=True)
class PolyakScheduleFree(Transform):
    """ScheduleFree+: schedule-free learning whose step is Polyak's, corrected for the distance between x and z.

    k = 0, 1, … counts steps;   ρ = min(k / anneal, 1),   βₖ = 1 − (1 − β)^(1 − ρ) (1 − β_end)^ρ
    e ← β_l1 e + (1 − β_l1) √(π/2) ‖g‖₁,   η = size · max(0, f − f* + βₖ ⟨g, z − x⟩) / (e / (1 − β_l1^(k + 1)))
    z⁺ = z − η u − η² λ y,   x⁺ = (1 − c) x + c z⁺,   y⁺ = βₖ x⁺ + (1 − βₖ) z⁺
    c = 1 while k < average_from, then w / Σ w with w = (k + 1)ʳ (largest η so far)ᵖ

    Norm and inner product are over all parameters, so there is one η for all. The parameter holds y, the state holds z
    and x = y + (1 − 1/β)(z − y) with the β of the step before. Where no weight has been gathered yet, c = 0.
    arXiv:2605.19095.

    Args:
        size: a multiplier, 1 in the paper; a warm-up multiplies it.
        beta: β, in (0, 1).
        beta_end: β after ``anneal`` steps, in (0, 1).
        anneal: steps over which β goes to ``beta_end``; 0 keeps it at β.
        l1_beta: the decay rate of the average of ‖g‖₁, in [0, 1).
        f_star: f*, the loss at the solution.
        weight_decay: λ, of the order of 20 to 50, since η² is small.
        average_from: steps before the averaging begins.
        r: power of k + 1 in w.
        power: p, power of η in w.
    """

    size: float = 1.0
    beta: float = 0.9
    beta_end: float = 0.965
    anneal: float = 0.0
    l1_beta: float = 0.0
    f_star: float = 0.0
    weight_decay: float = 0.0
    average_from: float = 0.0
    r: float = 0.0
    power: float = 2.0
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    places: ClassVar[str] = "between its iterate and the average of that"
    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    bounds: ClassVar = {
        "beta": SHARE,
        "beta_end": SHARE,
        "l1_beta": (0.0, 1.0),
        "f_star": (-math.inf, math.inf),
    }

    def slots(self, spec: ParamSpec) -> Slots:
        names = ("steps", "l1", "size_max", "weight_sum")
        shared = {f"polyak_{name}": Slot(keep=(), shared=True) for name in names}
        return {"z": Slot(start="param"), **shared, "polyak_share": Slot(keep=(), shared=True, start=1.0)}

    def _share(self, k: Any) -> Any:
        way = where(self.anneal > 0, minimum(k / maximum(self.anneal, 1.0), 1.0), 0.0 * k)
        return 1 - exp((1 - way) * log(1 - self.beta) + way * log(1 - self.beta_end))

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        y, z, loss = ctx.param, state["z"], ctx.loss
        assert loss is not None, "declared in needs"
        k = state["polyak_steps"]
        share = self._share(k)
        behind = (z - y) / state["polyak_share"]
        ahead, length = yield Total("polyak", total(ctx.grad * behind), total(torch.abs(ctx.grad)))
        l1 = self.l1_beta * state["polyak_l1"] + (1 - self.l1_beta) * LENGTH_OF_L1 * length
        gap = maximum(loss - self.f_star + share * ahead, 0.0)
        eta = self.size * where(l1 > 0, gap * (1 - self.l1_beta ** (k + 1)) / l1, 0.0)
        size_max = maximum(state["polyak_size_max"], eta)
        averages = k >= self.average_from
        weight = where(averages, (k + 1) ** self.r * size_max**self.power, 0.0)
        weight_sum = state["polyak_weight_sum"] + weight
        c = where(averages, where(weight_sum > 0, weight / weight_sum, 0.0), 1.0)
        new_z = z - eta * u - eta * eta * self.weight_decay * y
        x = z - behind
        new_x = x + c * (new_z - x)
        shared = {
            "polyak_steps": k + 1,
            "polyak_l1": l1,
            "polyak_size_max": size_max,
            "polyak_weight_sum": weight_sum,
            "polyak_share": share,
        }
        return y - (new_z + share * (new_x - new_z)), {"z": new_z, **shared}

    def evaluate(self, p: Tensor, state: State, step: float) -> Tensor | None:
        return p + (1 - 1 / state["polyak_share"]) * (state["z"] - p)
