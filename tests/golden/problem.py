"""The fixed problem: three tensors on a noisy quadratic bowl, twenty steps, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import gradwright as gw

SHAPES = ((3, 2), (2,), (2, 1, 2, 1))
STEPS = 20
KEPT = (1, 2, 5, 10, 20)
MATRICES = (SHAPES[0], SHAPES[2])


@dataclass(frozen=True)
class Variant:
    """A recipe with its own defaults but for ``knobs``; ``nan_at`` are steps at which a gradient holds a NaN."""

    recipe: Any
    knobs: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    roles: tuple[str, ...] = ("", "", "")
    nan_at: tuple[int, ...] = ()


def variant(
    recipe: Any, lr: float | None = 0.05, shapes: Any = SHAPES, roles: Any = ("", "", ""), **knobs: Any
) -> Variant:
    nan_at = knobs.pop("nan_at", ())
    return Variant(recipe, {**({} if lr is None else {"lr": lr}), **knobs}, shapes, roles, nan_at)


TABLES = ("embedding", "bias", "")
GAINS = ("gain", "gain", "gain")
VARIANTS = {
    "SGD": variant(gw.SGD),
    "SGD, momentum": variant(gw.SGD, momentum=0.9, dampening=0.1, weight_decay=0.1),
    "SGD, nesterov": variant(gw.SGD, momentum=0.9, nesterov=True),
    "Adam": variant(gw.Adam, None),
    "Adam, penalty": variant(gw.Adam, weight_decay=0.1),
    "Adam, amsgrad": variant(gw.Adam, amsgrad=True, betas=(0.9, 0.8)),
    "AdamW": variant(gw.AdamW, None),
    "AdamW, amsgrad": variant(gw.AdamW, amsgrad=True, betas=(0.9, 0.8)),
    "NAdam": variant(gw.NAdam, None),
    "NAdam, decoupled": variant(gw.NAdam, decoupled_weight_decay=True, weight_decay=0.1),
    "NAdam, dozat": variant(gw.NAdam, form="dozat"),
    "NAdam, optax": variant(gw.NAdam, form="optax"),
    "NAdamW": variant(gw.NAdamW, None),
    "AdaBelief": variant(gw.AdaBelief, None),
    "AdaBelief, decay": variant(gw.AdaBelief, eps=1e-8, weight_decay=0.1),
    "Lion": variant(gw.Lion, None),
    "Lion, decay": variant(gw.Lion, weight_decay=0.1),
    "Tiger": variant(gw.Tiger, None),
    "Tiger, roles": variant(gw.Tiger, roles=TABLES),
    "Tiger, micro-steps": variant(gw.Tiger, roles=TABLES, accumulate=3),
    "Tiger, nan": variant(gw.Tiger, roles=GAINS, nan_at=(4, 9)),
    "Adafactor": variant(gw.Adafactor, None),
    "Adafactor, momentum": variant(gw.Adafactor, momentum=0.9, weight_decay=0.1),
    "Adafactor, absolute": variant(gw.Adafactor, relative_step=False, scale_parameter=False),
    "Adafactor, torch": variant(gw.Adafactor, form="torch", eps=(1e-3, 1e-3), weight_decay=0.1),
    "Lamb": variant(gw.Lamb, None),
    "Muon": variant(gw.Muon, None, MATRICES),
    "Muon, no nesterov": variant(gw.Muon, shapes=MATRICES, nesterov=False, weight_decay=0.1),
    "Muon, you": variant(gw.Muon, shapes=MATRICES, coefficients="you", adjust_lr="match_rms_adamw"),
    "AdaLo": variant(gw.AdaLo, None),
    "AdaLo, compliant": variant(gw.AdaLo, None, mode="compliant"),
    "ScheduleFreeAdamW": variant(gw.ScheduleFreeAdamW, None),
    "ScheduleFreeAdamW, warm-up": variant(gw.ScheduleFreeAdamW, warmup_steps=5, r=0.75, weight_decay=0.1),
    "CautiousAdamW": variant(gw.cautious(gw.AdamW)),
    "CautiousLion": variant(gw.cautious(gw.Lion)),
    "CautiousMuon": variant(gw.cautious(gw.Muon), shapes=MATRICES),
    "LookaheadSGD": variant(gw.lookahead(gw.SGD), momentum=0.9),
    "LookaheadAdamW": variant(gw.lookahead(gw.AdamW), k=3, alpha=0.8),
    "LookaheadCautiousNAdamW": variant(gw.lookahead(gw.cautious(gw.NAdamW))),
}


def trajectory(chosen: Variant) -> dict[str, list[list[float]]]:
    """The flattened tensors after each kept step, and those to evaluate with where they are others."""
    stream = np.random.RandomState(2026)
    data = {shape: [stream.standard_normal(shape) for _ in range(3)] for shape in SHAPES}
    noise = {shape: stream.standard_normal((STEPS, *shape)) for shape in SHAPES}
    params = [torch.nn.Parameter(torch.tensor(data[shape][0])) for shape in chosen.shapes]
    groups = [{"params": [param], "role": role} for param, role in zip(params, chosen.roles)]
    optimizer = chosen.recipe(groups, engine="eager", **chosen.knobs)
    found: dict[str, list[list[float]]] = {}
    for t in range(1, STEPS + 1):
        loss = 0.0
        for param, shape in zip(params, chosen.shapes):
            _, target, curvature = data[shape]
            off = param.detach().numpy() - target
            loss += 0.5 * float(np.sum(np.exp(curvature) * off**2))
            g = np.exp(curvature) * off + 0.5 * noise[shape][t - 1]
            if t in chosen.nan_at:
                g[(0,) * g.ndim] = np.nan
            param.grad = torch.tensor(g)
        optimizer.step(loss=loss)
        if t in KEPT:
            found[f"step {t}"] = _numbers(params)
    with optimizer.evaluating():
        if (numbers := _numbers(params)) != found[f"step {STEPS}"]:
            found["evaluated"] = numbers
    return found


def _numbers(params: list[torch.nn.Parameter]) -> list[list[float]]:
    return [[float(f"{number:.12g}") for number in param.detach().flatten().tolist()] for param in params]
