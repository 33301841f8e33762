"""Steps in proportion to the weights of a layer."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import Contract, Parity, variant

CONTRACT = (Contract(gw.Lamb),)

PARITY = (
    Parity("lamb", gw.Lamb, reference.lamb, {"lr": 0.02}),
    Parity("lamb, no decay", gw.Lamb, reference.lamb, {"lr": 0.02, "weight_decay": 0.0, "betas": (0.8, 0.9)}),
)

GOLDEN = {
    "Lamb": variant(gw.Lamb, None),
}
