"""Step sizes made from the loss."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import Contract, Parity, variant

CONTRACT = (
    Contract(gw.AdaLo),
    Contract(gw.AdaLo, {"mode": "compliant", "lr": 0.1}),
)

PARITY = (
    Parity("adalo", gw.AdaLo, reference.adalo, {"betas": (0.9, 0.95)}, needs_loss=True),
    Parity("adalo, compliant", gw.AdaLo, reference.adalo, {"lr": 0.1, "mode": "compliant"}, needs_loss=True),
)

GOLDEN = {
    "AdaLo": variant(gw.AdaLo, None),
    "AdaLo, compliant": variant(gw.AdaLo, None, mode="compliant"),
}
