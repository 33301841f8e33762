"""RAdam, ADOPT, and AdaBelief with RAdam's rectification."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import eight_digits, scalar
from tests.reference.rectified import adopt, radam, rectification, rectified_adabelief

S7 = [0.5, -0.3, 0.2, 0.4, 0.1, 0.3, -0.2]
R7 = [0.1, -0.2, 0.3, 0.1, -0.2, 0.3, 0.1]

CONTRACT = (
    Contract(gw.RAdam),
    Contract(gw.RAdam, {"weight_decay": 0.01, "decoupled_weight_decay": True}),
    Contract(
        gw.RAdam,
        {"degenerated_to_sgd": False},
        {"empty_tensors": "every tensor rests for its first five steps, and the check takes three"},
    ),
    Contract(
        gw.AdaBelief,
        {"rectify": True},
        {"scale_free": "the first steps, before rectification, are those of momentum SGD"},
    ),
    Contract(gw.ADOPT),
    Contract(gw.ADOPT, {"weight_decay": 0.01}),
    Contract(gw.ADOPT, {"weight_decay": 0.01, "decoupled_weight_decay": True}),
)

PARITY = (
    Parity("radam", gw.RAdam, radam, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("radam, b2=.9", gw.RAdam, radam, {"lr": 0.03, "betas": (0.8, 0.9), "eps": 1e-3}),
    Parity("radam, decoupled", gw.RAdam, radam, {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    Parity("radam, resting", gw.RAdam, radam, {"lr": 0.03, "degenerated_to_sgd": False}),
    Parity("radam, never adapting", gw.RAdam, radam, {"lr": 0.03, "betas": (0.9, 0.6)}),
    Parity(
        "adabelief, rectified",
        gw.AdaBelief,
        rectified_adabelief,
        {"lr": 0.03, "rectify": True, "weight_decay": 0.1, "eps": 1e-8},
    ),
    Parity("adopt", gw.ADOPT, adopt, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("adopt, eps", gw.ADOPT, adopt, {"lr": 0.03, "betas": (0.8, 0.5), "eps": 0.5}),
    Parity("adopt, decoupled", gw.ADOPT, adopt, {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": True}),
)

WORKED = (
    eight_digits(
        "RAdam",
        gw.RAdam,
        *(0.95, 0.94210526, 0.92974364, 0.90934527, 0.89148612, 0.88986873, 0.8885344),
        steps=S7,
    ),
    eight_digits(
        "RAdam, resting",
        gw.RAdam,
        *(1.0, 1.0, 1.0, 1.0, 1.0, 0.99838261, 0.99704829),
        steps=S7,
        degenerated_to_sgd=False,
    ),
    scalar(
        "AdaBelief, rectified",
        gw.AdaBelief,
        *(0.99, 0.9957894737, 0.9883724995, 0.9802044274, 0.9789148374, 0.9779571872, 0.9765677710),
        steps=R7,
        rectify=True,
    ),
    eight_digits("ADOPT", gw.ADOPT, 1.0, 1.006, 1.00739987),
)

PUBLISHED = {
    gw.RAdam: {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "decoupled_weight_decay": False,
    },
    gw.ADOPT: {"lr": 1e-3, "betas": (0.9, 0.9999), "eps": 1e-6, "weight_decay": 0.0, "decoupled_weight_decay": False},
}

GOLDEN = {
    "RAdam": variant(gw.RAdam, None),
    "RAdam, penalty": variant(gw.RAdam, betas=(0.9, 0.95), weight_decay=0.1),
    "RAdam, resting": variant(gw.RAdam, weight_decay=0.1, decoupled_weight_decay=True, degenerated_to_sgd=False),
    "AdaBelief, rectified": variant(gw.AdaBelief, rectify=True),
    "ADOPT": variant(gw.ADOPT, None),
    "ADOPT, decay": variant(gw.ADOPT, weight_decay=0.1, decoupled_weight_decay=True),
}

DIVIDED = parts.Precondition(parts.Full(0.9), parts.Bare())

PARTS = (
    # ρ∞ = 19 and ρ₆ = 5.39: at this step the moment of a constant gradient is trusted
    case(parts.Rectify(DIVIDED, 0.9), 4.0, 4.0, {"of.v": 0.9}, grad=3.0),
    case(parts.Rectify(DIVIDED, 0.9, "rest"), 4.0, 0.0, {"of.v": 0.9}, grad=3.0),
    case(
        parts.Rectify(DIVIDED, 0.9),
        *(6.0, 2 * rectification(6, 0.9), {"of.v": 9 * (1 - 0.9**6)}),
        grad=3.0,
        state={"of.v": 9 * (1 - 0.9**5) / 1.0},
        step=6.0,
    ),
    case(parts.UntunedWarmup(parts.Scale(1.0), 0.5), 4.0, 4 * (1 - math.exp(-1)), step=2.0),
    case(parts.UntunedWarmup(parts.Scale(1.0), 0.5, "linear"), 4.0, 3.0, step=3.0),
    case(parts.UntunedWarmup(parts.Scale(1.0), 0.5, "linear"), 4.0, 4.0, step=5.0),
    case(parts.GrowingClip(), [3.0, -3.0, 1.0], [0.0, 0.0, 0.0]),
    case(parts.GrowingClip(), [3.0, -3.0, 1.0], [2.0, -2.0, 1.0], step=17.0),
    case(parts.RestFirst(), 3.0, 0.0),
    case(parts.RestFirst(), 3.0, 3.0, step=2.0),
    case((parts.Lagged(0.5), parts.Bare()), 6.0, 2.0, {"v": 9.0}, grad=3.0, state={"v": 1.0}),
    case((parts.Lagged(0.5), parts.Bare()), 6.0, 6.0, {"v": 5.0}, grad=3.0, state={"v": 1.0}, step=2.0),
)

STAGES = {2: {"RestFirst", "UntunedWarmup"}}

DEFAULTS = (
    (parts.GrowingClip(), parts.GrowingClip(0.25)),
    (parts.Rectify(DIVIDED, 0.9), parts.Rectify(DIVIDED, 0.9, "momentum")),
    (parts.UntunedWarmup(parts.Scale(1.0)), parts.UntunedWarmup(parts.Scale(1.0), 0.999, "exponential")),
)
