"""diffGrad, Adan and MARS."""

from __future__ import annotations

import math
from typing import Any

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import M2, W0, eight_digits
from tests.reference.gradient_difference import adan, diffgrad, mars

V3 = [[0.5, -0.2], [-0.3, 0.4], [0.2, 0.1]]

CONTRACT = (
    Contract(gw.DiffGrad),
    Contract(gw.DiffGrad, {"weight_decay": 0.01}),
    Contract(gw.Adan),
    Contract(gw.Adan, {"weight_decay": 0.02}),
    Contract(gw.Adan, {"weight_decay": 0.02, "no_prox": True}),
    Contract(gw.MARS),
    Contract(gw.MARS, {"form": "timm", "amsgrad": True, "weight_decay": 0.1}),
)

PARITY = (
    Parity("diffgrad", gw.DiffGrad, diffgrad, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("diffgrad, eps", gw.DiffGrad, diffgrad, {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3}),
    Parity("adan", gw.Adan, adan, {"lr": 0.03}),
    Parity("adan, prox", gw.Adan, adan, {"lr": 0.03, "weight_decay": 0.3, "eps": 1e-3}),
    Parity("adan, no prox", gw.Adan, adan, {"lr": 0.03, "weight_decay": 0.3, "no_prox": True}),
    Parity("mars", gw.MARS, mars, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("mars, timm", gw.MARS, mars, {"lr": 0.03, "gamma": 0.1, "form": "timm"}),
    Parity("mars, amsgrad", gw.MARS, mars, {"lr": 0.03, "betas": (0.9, 0.6), "amsgrad": True}),
)


def _mars(name: str, start: Any, steps: Any, after: dict[int, Any], **knobs: Any) -> Worked:
    return Worked(name, gw.MARS, {"lr": 0.01, **knobs}, start, steps, after, tolerance=1e-7)


WORKED = (
    eight_digits("diffGrad", gw.DiffGrad, 0.93775411, 0.92454124, 0.90291529),
    eight_digits("Adan", gw.Adan, 0.9, 0.93527409, 0.92837448),
    eight_digits("Adan, prox", gw.Adan, 0.89820359, 0.93161445, 0.92286911, weight_decay=0.02),
    _mars("MARS", [1, 1], V3, {1: [0.99, 1.01], 2: [0.98985086, 1.00607098], 3: [0.98731101, 1.00328886]}),
    _mars("MARS of a matrix", W0, M2, {2: [[0.99019959, 2.00837342], [2.98363326, 3.98079651]]}),
    _mars("MARS, timm", W0, M2, {2: [[0.99208301, 2.00669546], [2.98390006, 3.98029215]]}, form="timm"),
)

PUBLISHED = {
    gw.DiffGrad: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    gw.Adan: {"lr": 1e-3, "betas": (0.98, 0.92, 0.99), "eps": 1e-8, "weight_decay": 0.0, "no_prox": False},
    gw.MARS: {"lr": 3e-3, "betas": (0.95, 0.99), "eps": 1e-8, "weight_decay": 0.0, "gamma": 0.025, "amsgrad": False},
}

GOLDEN = {
    "DiffGrad": variant(gw.DiffGrad, None),
    "DiffGrad, penalty": variant(gw.DiffGrad, weight_decay=0.1),
    "Adan": variant(gw.Adan, None),
    "Adan, prox": variant(gw.Adan, weight_decay=0.1),
    "Adan, no prox": variant(gw.Adan, weight_decay=0.1, no_prox=True),
    "MARS": variant(gw.MARS, None),
    "MARS, timm": variant(gw.MARS, form="timm", amsgrad=True, weight_decay=0.1),
}

ONE_HALF = (parts.Full(0.5), parts.Bare())

PARTS = (
    case(
        parts.Friction(),
        *([4.0, 4.0], [2.0, 3.0], {"previous": [2.0, 1.0]}),
        grad=[2.0, 1.0],
        state={"previous": [2.0, 1.0 + math.log(3)]},
    ),
    # γ β / (1 − β) = 1, so c = 2 g − g₀
    case(
        parts.ReduceVariance(1.0, 0.5), [0.3, 0.1], [0.5, 0.0], {"previous": [0.3, 0.1]}, state={"previous": [0.1, 0.2]}
    ),
    case(parts.ReduceVariance(1.0, 0.5), [1.5, 2.0], [0.6, 0.8], {"previous": [1.5, 2.0]}),
    case(parts.ReduceVariance(1.0, 0.5, from_zero=False), [0.3, 0.4], [0.3, 0.4], {"previous": [0.3, 0.4]}),
    case(
        parts.DifferenceMomentum(0.5, 0.5, *ONE_HALF),
        *(6.0, 1.0, {"m": 3.0, "d": 0.0, "previous": 6.0, "v": 18.0}),
    ),
    # Δ = 4, m = 3, d = 2, the gradient looked ahead is 6 + 2 = 8 and its moment (32 + 16) / ¾ = 64
    case(
        parts.DifferenceMomentum(0.5, 0.5, *ONE_HALF),
        *(6.0, (3 / 0.75 + 0.5 * 2 / 0.75) / 8, {"m": 3.0, "d": 2.0, "previous": 6.0, "v": 48.0}),
        state={"previous": 2.0, "v": 32.0},
        step=2.0,
    ),
    case(parts.ProximalDecay(0.25), 3.0, 2.8, param=2.0),
)

STAGES = {0: {"ReduceVariance"}, 2: {"ProximalDecay"}}

DEFAULTS = ((parts.ReduceVariance(1.0, 0.5), parts.ReduceVariance(1.0, 0.5, True)),)
