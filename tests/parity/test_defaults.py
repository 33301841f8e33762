"""Defaults are the published ones; where a name exists in torch.optim, torch's."""

import inspect

import pytest
import torch

import gradwright as gw
from tests.families import entries

TORCHS = {gw.SGD: torch.optim.SGD, gw.Adam: torch.optim.Adam, gw.AdamW: torch.optim.AdamW, gw.NAdam: torch.optim.NAdam}
TORCHS |= {gw.Adafactor: torch.optim.Adafactor, gw.Muon: torch.optim.Muon}

MEANT = {  # where ours differs, and why
    (gw.SGD, "momentum"): (None, "none keeps no buffer; torch's 0 is a setting that a scheduler may raise"),
    (gw.Adafactor, "eps"): ((1e-30, 1e-3), "the paper's; torch takes the precision of the first tensor's type"),
    (gw.Muon, "lr"): (2e-2, "the authors', in units of the spectral norm"),
    (gw.Muon, "weight_decay"): (0.0, "the authors'"),
}

PUBLISHED = {
    gw.AdaBelief: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-16, "weight_decay": 0.0},
    gw.Lion: {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0},
    gw.Tiger: {"lr": 1e-3, "momentum": 0.965, "weight_decay": 1e-2, "accumulate": 1, "shrink": 0.99},
    gw.Adafactor: {"lr": 1e-2, "beta2_decay": -0.8, "d": 1.0, "momentum": None, "weight_decay": 0.0},
    gw.Lamb: {"betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 1e-2},
    gw.Muon: {"momentum": 0.95, "nesterov": True, "coefficients": "keller", "adjust_lr": "original"},
    gw.AdaLo: {"betas": (0.9, 0.999), "weight_decay": 1e-2, "kappa": 3.0, "eps": 1e-8, "mode": "adversarial"},
    gw.ScheduleFreeAdamW: {
        "lr": 2.5e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "warmup_steps": 0.0,
        "r": 0.0,
        "weight_lr_power": 2.0,
    },
    gw.NAdamW: {"betas": (0.9, 0.999), "eps": 1e-8},
    gw.lookahead(gw.SGD): {"k": 5, "alpha": 0.5},
    **entries("PUBLISHED"),
}


@pytest.mark.parametrize("recipe", TORCHS)
def test_defaults_that_torch_has_too_are_torchs(recipe):
    torchs = {name: p.default for name, p in inspect.signature(TORCHS[recipe]).parameters.items()}
    for name, value in recipe.spec.defaults.items():
        if name in torchs:
            expected, _ = MEANT.get((recipe, name), (torchs[name], ""))
            assert value == expected, name


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_defaults_are_the_published_ones(recipe):
    assert {name: recipe.spec.defaults[name] for name in PUBLISHED[recipe]} == PUBLISHED[recipe]
