"""Adafactor in its forms."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import Contract, Parity, variant

CONTRACT = (
    Contract(gw.Adafactor),
    Contract(gw.Adafactor, {"momentum": 0.9, "weight_decay": 0.01}, ulps=256),
    Contract(gw.Adafactor, {"form": "torch", "weight_decay": 0.01}),
    Contract(
        gw.Adafactor,
        {"scale_parameter": False, "relative_step": False, "lr": 1e-3},
        {"relative": "scale_parameter=False takes the size of the weights out of the step"},
    ),
)

PARITY = (
    Parity("adafactor", gw.Adafactor, reference.adafactor, {"lr": 0.05}),
    Parity("adafactor, momentum", gw.Adafactor, reference.adafactor, {"momentum": 0.9, "weight_decay": 0.1}),
    Parity(
        "adafactor, no relative step",
        gw.Adafactor,
        reference.adafactor,
        {"lr": 0.02, "relative_step": False, "scale_parameter": False, "d": 0.5, "beta2_decay": -0.5},
    ),
    Parity(
        "adafactor, torch",
        gw.Adafactor,
        reference.adafactor,
        {"lr": 0.05, "weight_decay": 0.1, "form": "torch", "eps": (1e-3, 1e-3)},
    ),
)

GOLDEN = {
    "Adafactor": variant(gw.Adafactor, None),
    "Adafactor, momentum": variant(gw.Adafactor, momentum=0.9, weight_decay=0.1),
    "Adafactor, absolute": variant(gw.Adafactor, relative_step=False, scale_parameter=False),
    "Adafactor, torch": variant(gw.Adafactor, form="torch", eps=(1e-3, 1e-3), weight_decay=0.1),
}
