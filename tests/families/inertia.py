"""Adai: adaptive inertia."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.reference.inertia import adai

CANCELS = 1 << 12
"""Of 1 − Π the last digits are those of 1 − β₁, which begins as small as a thousandth."""

CONTRACT = (
    Contract(gw.Adai, ulps=CANCELS),
    Contract(gw.Adai, {"dampening": 0.9, "weight_decay": 0.01}, ulps=CANCELS),
    Contract(gw.Adai, {"decoupled_weight_decay": True, "weight_decay": 0.01}, ulps=CANCELS),
)

PARITY = (
    Parity("adai", gw.Adai, adai, {"lr": 0.1, "weight_decay": 0.1}, shapes=((4, 3),)),
    Parity("adai, v2", gw.Adai, adai, {"betas": (0.3, 0.9), "dampening": 0.5, "eps": 0.05}, shapes=((5,),)),
    Parity("adai, decoupled", gw.Adai, adai, {"weight_decay": 0.1, "decoupled_weight_decay": True}, shapes=((3, 5),)),
)

PUBLISHED = {gw.Adai: {"betas": (0.1, 0.99), "eps": 1e-3, "weight_decay": 0.0}}

GOLDEN = {
    "Adai": variant(gw.Adai),
    "Adai, v2": variant(gw.Adai, dampening=0.9, weight_decay=0.1, decoupled_weight_decay=True),
}

PARTS = (
    # v̂ = (1, 9) with the mean 5: β₁ = 1 − ½ (1, 9) / 5
    case(
        parts.AdaptiveInertia(0.5, 0.5, 0.01),
        [1.0, 3.0],
        [1.0, 3.0],
        {"v": [0.5, 4.5], "m": [0.1, 2.7], "product": [0.9, 0.1]},
    ),
    case(parts.AdaptiveInertia(0.5, 0.5, 0.25), [0.0, 0.0], [0.0, 0.0], {"product": [0.75, 0.75]}),
)

DEFAULTS = ((parts.AdaptiveInertia(), parts.AdaptiveInertia(0.1, 0.99, 1e-3, 1.0)),)
