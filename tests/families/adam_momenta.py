"""Adam with other first moments."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import eight_digits
from tests.reference.adam_momenta import adamnorm, adamomentum, ademamix

DROPS = [[3, 4], [0.03, 0.04], [0.6, -0.8]]
"""Gradients of length 5, then 0.05, then 1."""

CONTRACT = (
    Contract(gw.AdaMomentum),
    Contract(gw.AdaMomentum, {"form": "corrected", "weight_decay": 0.01}, ulps=8),
    Contract(gw.AdamNorm),
    Contract(gw.AdamNorm, {"form": "authors", "weight_decay": 0.01}),
    Contract(gw.AdEMAMix),
    Contract(gw.AdEMAMix, {"alpha": 5.0, "alpha_warmup": 20.0, "beta3_warmup": 20.0, "weight_decay": 0.1}),
)

PARITY = (
    Parity("adamomentum", gw.AdaMomentum, adamomentum, {"lr": 0.01, "weight_decay": 0.1}),
    Parity("adamomentum, corrected", gw.AdaMomentum, adamomentum, {"lr": 0.03, "form": "corrected", "eps": 1e-4}),
    Parity("adamnorm", gw.AdamNorm, adamnorm, {"lr": 0.03, "gamma": 0.8}),
    Parity(
        "adamnorm, authors", gw.AdamNorm, adamnorm, {"lr": 0.03, "form": "authors", "eps": 1e-3, "weight_decay": 0.1}
    ),
    Parity("ademamix", gw.AdEMAMix, ademamix, {"lr": 0.03, "weight_decay": 0.1}),
    Parity(
        "ademamix, warm-ups",
        gw.AdEMAMix,
        ademamix,
        {"lr": 0.03, "betas": (0.8, 0.95, 0.99), "alpha": 5.0, "alpha_warmup": 10.0, "beta3_warmup": 30.0},
    ),
)


def _adamnorm(name: str, *after: list[float], **knobs: object) -> Worked:
    return Worked(
        name, gw.AdamNorm, {"lr": 0.1, **knobs}, [1.0, 1.0], DROPS, dict(enumerate(after, start=1)), tolerance=1e-7
    )


WORKED = (
    eight_digits("AdaMomentum", gw.AdaMomentum, 0.00199402, -0.2111492, -0.55506445),
    _adamnorm("AdaNorm", [0.9, 0.9], [0.82942406, 0.82942406], [0.76339043, 0.78846967]),
    _adamnorm(
        "AdaNorm, the authors' eps",
        *([0.90000006, 0.90000003], [0.8294242, 0.82942414], [0.76339067, 0.78846978]),
        form="authors",
    ),
    Worked(
        "Adam, where AdaNorm differs",
        gw.Adam,
        {"lr": 0.1},
        [1.0, 1.0],
        DROPS,
        {1: [0.9, 0.9], 2: [0.83225306, 0.83225306], 3: [0.76836369, 0.79344293]},
        tolerance=1e-7,
    ),
    eight_digits("AdEMAMix", gw.AdEMAMix, 0.899980002, 0.880820499, 0.84605525),
    eight_digits(
        "AdEMAMix, warming up", gw.AdEMAMix, 0.89998006, 0.88079645, 0.84598368, alpha_warmup=4, beta3_warmup=4
    ),
)

PUBLISHED = {
    gw.AdaMomentum: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "form": "raw"},
    gw.AdamNorm: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "gamma": 0.95},
    gw.AdEMAMix: {
        "lr": 1e-3,
        "betas": (0.9, 0.999, 0.9999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "alpha": 2.0,
        "alpha_warmup": 0.0,
        "beta3_warmup": 0.0,
    },
}

GOLDEN = {
    "AdaMomentum": variant(gw.AdaMomentum, None),
    "AdaMomentum, corrected": variant(gw.AdaMomentum, form="corrected", weight_decay=0.1),
    "AdamNorm": variant(gw.AdamNorm, gamma=0.5),
    "AdamNorm, authors": variant(gw.AdamNorm, gamma=0.5, form="authors", eps=1e-4),
    "AdEMAMix": variant(gw.AdEMAMix, None),
    "AdEMAMix, warm-ups": variant(gw.AdEMAMix, alpha=5.0, alpha_warmup=10.0, beta3_warmup=30.0, weight_decay=0.1),
}

PARTS = (
    case((parts.UpdateSquare(0.5, 2.5), parts.Bare()), 3.0, 3 / math.sqrt(14), {"v": 7.0}, grad=9.0),
    # ‖g‖ = 5 and e = ½ · 15 + ½ · 5 = 10, twice the norm
    case(parts.RestoreNorm(0.5), [3.0, -4.0], [6.0, -8.0], {"norm": 10.0}, state={"norm": 15.0}),
    case(parts.RestoreNorm(0.5), [3.0, -4.0], [3.0, -4.0], {"norm": 4.0}, state={"norm": 3.0}),
    case(parts.RestoreNorm(0.5), [0.0, 0.0], [0.0, 0.0], {"norm": 1.5}, state={"norm": 3.0}),
    case(parts.FastAndSlow(0.5, 0.75, 8.0), 4.0, 4.0 + 8.0, {"m": 2.0, "s": 1.0}),
    case(parts.FastAndSlow(0.5, 0.75, 8.0, alpha_warmup=4.0), 4.0, 4.0 + 2.0, {"m": 2.0, "s": 1.0}),
    # the half-lives of ½ and √½ are 1 and 2; half of the way it is 1.5
    case(
        parts.FastAndSlow(0.5, math.sqrt(0.5), 2.0, beta3_warmup=4.0),
        *(1.5, 1.0 + 2 * 1.5 * (1 - 0.5 ** (1 / 1.5)), {"m": 0.75, "s": 1.5 * (1 - 0.5 ** (1 / 1.5))}),
        step=2.0,
    ),
)

DEFAULTS = (
    (parts.FastAndSlow(0.9, 0.99, 1.0), parts.FastAndSlow(0.9, 0.99, 1.0, 0.0, 0.0)),
    (parts.RestoreNorm(), parts.RestoreNorm(0.95)),
    (parts.UpdateSquare(0.9), parts.UpdateSquare(0.9, 1e-8)),
)
