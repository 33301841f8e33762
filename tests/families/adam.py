"""Adam and its closest kin."""

from __future__ import annotations

import gradwright as gw
from tests import reference
from tests.families.kinds import Contract, Parity, variant

CONTRACT = (
    Contract(gw.Adam),
    Contract(gw.Adam, {"amsgrad": True, "weight_decay": 0.01}),
    Contract(gw.AdamW),
    Contract(gw.AdamW, {"amsgrad": True}),
    Contract(gw.NAdam),
    Contract(gw.NAdam, {"form": "dozat", "weight_decay": 0.01}),
    Contract(gw.NAdam, {"form": "optax", "decoupled_weight_decay": True, "weight_decay": 0.01}),
    Contract(gw.NAdamW),
    Contract(gw.AdaBelief),
)

PARITY = (
    Parity("adam", gw.Adam, reference.adam, {"lr": 0.03}),
    Parity("adam, decay", gw.Adam, reference.adam, {"lr": 0.03, "betas": (0.7, 0.95), "weight_decay": 0.1}),
    Parity("amsgrad", gw.Adam, reference.adam, {"lr": 0.03, "betas": (0.9, 0.5), "eps": 1e-3, "amsgrad": True}),
    Parity("adamw", gw.AdamW, reference.adamw, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("adamw, amsgrad", gw.AdamW, reference.adamw, {"lr": 0.03, "betas": (0.8, 0.6), "amsgrad": True}),
    Parity("nadam, torch", gw.NAdam, reference.nadam, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("nadam, dozat", gw.NAdam, reference.nadam, {"lr": 0.03, "form": "dozat", "momentum_decay": 0.02}),
    Parity("nadam, optax", gw.NAdam, reference.nadam, {"lr": 0.03, "form": "optax"}),
    Parity(
        "nadam, decoupled",
        gw.NAdam,
        reference.nadam,
        {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    Parity("nadamw", gw.NAdamW, reference.nadamw, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("adabelief", gw.AdaBelief, reference.adabelief, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("adabelief, eps", gw.AdaBelief, reference.adabelief, {"lr": 0.03, "betas": (0.8, 0.9), "eps": 1e-4}),
)

GOLDEN = {
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
}
