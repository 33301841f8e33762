"""Muon: orthogonalised momentum."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import GOLDEN_MATRICES, MATRICES, Contract, Parity, variant

CONTRACT = (
    Contract(gw.Muon),
    Contract(gw.Muon, {"adjust_lr": "match_rms_adamw", "lr": 1e-3, "weight_decay": 0.1}),
    Contract(gw.Muon, {"coefficients": "you", "nesterov": False}),
)

PARITY = (
    Parity("muon", gw.Muon, reference.muon, {"weight_decay": 0.1}, shapes=MATRICES),
    Parity("muon, no nesterov", gw.Muon, reference.muon, {"nesterov": False, "momentum": 0.8}, shapes=MATRICES),
    Parity(
        "muon, you",
        gw.Muon,
        reference.muon,
        {"coefficients": "you", "adjust_lr": "match_rms_adamw"},
        shapes=MATRICES,
    ),
)

GOLDEN = {
    "Muon": variant(gw.Muon, None, GOLDEN_MATRICES),
    "Muon, no nesterov": variant(gw.Muon, shapes=GOLDEN_MATRICES, nesterov=False, weight_decay=0.1),
    "Muon, you": variant(gw.Muon, shapes=GOLDEN_MATRICES, coefficients="you", adjust_lr="match_rms_adamw"),
}
