"""PNM and AdaPNM, AdaGL, and adaptive memory momentum."""

from __future__ import annotations

import math

import gradwright as gw
from gradwright import transforms as parts
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import S3, eight_digits, scalar
from tests.reference.memory_momentum import adagl, adapnm, amadamw, ammsgd, pnm

CONTRACT = (
    Contract(gw.PNM),
    Contract(gw.PNM, {"beta0": 0.5, "weight_decay": 0.01, "decoupled_weight_decay": False}),
    Contract(gw.AdaPNM),
    Contract(gw.AdaPNM, {"amsgrad": False, "decoupled_weight_decay": False}),
    Contract(gw.AdaGL),
    Contract(gw.AdaGL, {"alpha": 0.9, "history": 4, "weight_decay": 0.01}),
    # memory and gradient may cancel, with a share that is itself a rounded sum
    Contract(gw.AMMSGD, ulps=2048),
    Contract(gw.AMMSGD, {"pull": 0.0, "weight_decay": 0.01}, ulps=2048),
    Contract(gw.AMAdamW, ulps=2048),
    Contract(gw.AMAdamW, {"pull": 0.0, "weight_decay": 0.0}, ulps=2048),
)

# β of AMMSGD is one for all tensors, where a reference here follows one; several: tests/parity/test_adaptive_memory.py
ALONE = ((4, 3),)

PARITY = (
    Parity("pnm", gw.PNM, pnm, {"lr": 0.1}),
    Parity("pnm, decay", gw.PNM, pnm, {"lr": 0.05, "momentum": 0.7, "beta0": 0.3, "weight_decay": 0.1}),
    Parity("pnm, penalty", gw.PNM, pnm, {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": False}),
    Parity("adapnm", gw.AdaPNM, adapnm, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("adapnm, penalty", gw.AdaPNM, adapnm, {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": False}),
    Parity("adapnm, last v", gw.AdaPNM, adapnm, {"lr": 0.03, "betas": (0.8, 0.6), "beta0": 2.0, "amsgrad": False}),
    Parity("adagl", gw.AdaGL, adagl, {"lr": 0.03, "weight_decay": 0.1, "alpha": 0.9}),
    Parity("adagl, order above one", gw.AdaGL, adagl, {"lr": 0.03, "alpha": 1.5, "history": 9, "eps": 1e-3}),
    Parity("ammsgd", gw.AMMSGD, ammsgd, {"lr": 0.1, "weight_decay": 0.1}, shapes=ALONE),
    Parity("ammsgd, no pull", gw.AMMSGD, ammsgd, {"lr": 0.1, "pull": 0.0, "momentum": 0.8}, shapes=ALONE),
    Parity("amadamw", gw.AMAdamW, amadamw, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("amadamw, strong pull", gw.AMAdamW, amadamw, {"lr": 0.03, "pull": 2.0, "betas": (0.7, 0.9)}),
)

V3 = [(0.5, -0.2), (-0.3, 0.4), (0.2, 0.1)]


def _pair(name, recipe, *after, steps=V3, **knobs):
    expected = dict(enumerate(after, start=1))
    return Worked(name, recipe, {"lr": 0.1, **knobs}, (1, 1), steps, expected, tolerance=1e-7)


WORKED = (
    eight_digits("PNM", gw.PNM, 0.99150294, 1.00084971, 0.98801915),
    # with ε inside the correction, as other libraries have it, .83005894, .94938467, .81631933
    scalar("AdaPNM", gw.AdaPNM, 0.83005884, 0.94938463, 0.81631923, steps=S3),
    eight_digits("AdaPNM, last v", gw.AdaPNM, 0.83005884, 0.94938463, 0.81631923, amsgrad=False),
    eight_digits("AdaGL", gw.AdaGL, 0.92333333, 0.94369993, 0.93505713, alpha=0.9),
    eight_digits("AdaGL, order above one", gw.AdaGL, 0.92333333, 0.95490262, 0.94473201, alpha=1.5),
    _pair("AM-MSGD", gw.AMMSGD, (0.95, 1.02), (0.96, 0.995), (0.95333333, 0.97833333)),
    _pair(
        "AM-MSGD, gradients that agree",
        gw.AMMSGD,
        (0.95, 1.02),
        steps=[(0.5, -0.2), (0.45, -0.1), (0.5, -0.15)],
    ),
    _pair(
        "AM-AdamW",
        gw.AMAdamW,
        (0.90054699, 1.09978048),
        (0.90524565, 1.02670783),
        (0.89025196, 0.96702416),
        weight_decay=0,
    ),
)

PUBLISHED = {
    gw.PNM: {"momentum": 0.9, "beta0": 1.0, "weight_decay": 0.0, "decoupled_weight_decay": True},
    gw.AdaPNM: {"lr": 1e-3, "betas": (0.9, 0.999), "beta0": 1.0, "eps": 1e-8, "weight_decay": 0.0, "amsgrad": True},
    gw.AdaGL: {"betas": (0.9, 0.999), "history": 10},
    gw.AMMSGD: {"momentum": 0.9, "pull": 0.1},
    gw.AMAdamW: {"betas": (0.89, 0.999), "pull": 0.1, "eps": 1e-8},
}

GOLDEN = {
    "PNM": variant(gw.PNM),
    "PNM, penalty": variant(gw.PNM, beta0=0.5, weight_decay=0.1, decoupled_weight_decay=False),
    "AdaPNM": variant(gw.AdaPNM),
    "AdaPNM, last v": variant(gw.AdaPNM, amsgrad=False, weight_decay=0.1),
    "AdaGL": variant(gw.AdaGL),
    "AdaGL, short history": variant(gw.AdaGL, history=3, alpha=1.5, weight_decay=0.1),
    "AMMSGD": variant(gw.AMMSGD),
    "AMMSGD, no pull": variant(gw.AMMSGD, pull=0.0, weight_decay=0.1),
    "AMAdamW": variant(gw.AMAdamW),
    "AMAdamW, strong pull": variant(gw.AMAdamW, pull=1.0, weight_decay=0.1),
}

PARTS = (
    # β = √½ keeps a half
    case(
        parts.PositiveNegative(math.sqrt(0.5), 0.75),
        3.0,
        (1.75 * 2 - 0.75 * 4) / math.hypot(1.75, 0.75),
        {"m": 2.0, "older": 4.0},
        state={"m": 4.0, "older": 1.0},
    ),
    # the weights of ½ are 1, −½, −⅛; D = 3 − 1 − ½
    case(
        parts.FractionalMemory(0.5, parts.Full(0.5), parts.Bare(), 0.5, 2),
        3.0,
        (1.1 - 0.5 / 2) * (0.5 * 1 + 0.5 * 1.5) / 0.75 / math.sqrt((0.5 * 2 + 0.5 * 2.25) / 0.75),
        {"m": 1.25, "past1": 3.0, "past2": 2.0, "v": 2.125},
        state={"m": 1.0, "past1": 2.0, "past2": 4.0, "v": 2.0},
        step=2.0,
    ),
    case(parts.AdaptiveMemory(), [3.0, 4.0], [3.0, 4.0], {"d": [3.0, 4.0]}),
    # β = (1 − 0.1) / 2, (1 − 0.2 − 0.1) / 4, and nothing to tell d from g
    case(parts.AdaptiveMemory(), [0.0, 1.0], [0.5, 0.5], {"d": [0.5, 0.5]}, state={"d": [1.0, 0.0]}, step=2.0),
    case(parts.AdaptiveMemory(), [-1.0, 0.0], [-0.5, 0.0], state={"d": [1.0, 0.0]}, step=2.0),
    case(parts.AdaptiveMemory(), [1.0, 0.0], [1.0, 0.0], state={"d": [1.0, 0.0]}, step=2.0),
    # at first β = ½ and P = ½ (1 + 1)
    case(
        parts.AdaptiveMemoryMoment(parts.Full(0.5), 0.1, 1.0, 0.5, 1.0),
        1.0,
        0.5 / 2,
        {"d": 0.25, "product": 0.5, "last_size": 0.1, "v": 0.5},
    ),
    # then P = 1, M = ½ and w = −1: β = (2 · 0.4 · 1 − (−½) (1 + 0)) / ½ is too much for the first, 0 for the second
    case(
        parts.AdaptiveMemoryMoment(parts.Full(0.0), 0.1, 1.0, 0.5, 0.0),
        1.0,
        0.25,
        {"d": 0.25, "product": 0.0},
        state={"product": 0.0},
        step=2.0,
    ),
)

DEFAULTS = (
    (parts.PositiveNegative(0.9), parts.PositiveNegative(0.9, 1.0)),
    (
        parts.FractionalMemory(0.9, parts.Full(0.9), parts.Bare()),
        parts.FractionalMemory(0.9, parts.Full(0.9), parts.Bare(), 0.5, 10),
    ),
    (parts.AdaptiveMemory(), parts.AdaptiveMemory(0.1, 0.9)),
    (
        parts.AdaptiveMemoryMoment(parts.Full(0.9), 0.1),
        parts.AdaptiveMemoryMoment(parts.Full(0.9), 0.1, 0.1, 0.89, 1e-8, 0.0),
    ),
)
