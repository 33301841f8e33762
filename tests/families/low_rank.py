"""GaLore, Fira, APOLLO, Flora, and low_rank() of other recipes."""

from __future__ import annotations

import math

import gradwright as gw
from gradwright import transforms as parts
from gradwright.core import chain
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import R0, RG, Worked
from tests.reference.low_rank import apollo, fira, flora, galore, low_rank_adamw

OWN_BASIS = {"latecomers_start_at_one": "every parameter has a random basis of its own"}
LOW = gw.low_rank(gw.AdamW)
ONE, TWO = {"rank": 1, "gap": 3}, {"rank": 2, "gap": 3}

CONTRACT = (
    Contract(gw.GaLore),
    Contract(gw.GaLore, {"rank": 1, "gap": 2, "weight_decay": 0.01}),
    Contract(gw.Fira),
    Contract(gw.Fira, {"rank": 1, "gap": 2, "weight_decay": 0.01}),
    Contract(gw.APOLLO),
    Contract(gw.APOLLO, {"rank": 2, "gap": 2, "weight_decay": 0.01}, OWN_BASIS),
    Contract(gw.APOLLO, {"rank": 1, "scale_type": "tensor", "scale": 128.0}, OWN_BASIS),
    Contract(gw.Flora),
    Contract(gw.Flora, {"rank": 1, "gap": 2, "weight_decay": 0.01}, OWN_BASIS),
    Contract(LOW, {"rank": 2, "gap": 2}),
    Contract(LOW, {"rank": 1, "form": "residual"}),
    Contract(LOW, {"rank": 2, "basis": "random", "form": "channel", "share": 1.0}, OWN_BASIS),
    Contract(gw.low_rank(gw.Lion), {"rank": 1}),
    Contract(gw.low_rank(gw.Muon), {"rank": 2, "share": 1.0}),
)

MATRIX, WIDE = ((4, 3),), ((3, 5),)
SHAPES = ((), (5,), (4, 3), (3, 5), (2, 3, 4))


def _low(name: str, shapes: tuple[tuple[int, ...], ...], **knobs: object) -> Parity:
    return Parity(f"low rank, {name}", LOW, low_rank_adamw, {"lr": 0.03, **knobs}, shapes=shapes)


PARITY = (
    Parity("galore", gw.GaLore, galore, {"lr": 0.03, "weight_decay": 0.1, **TWO}, shapes=SHAPES),
    Parity("galore, one", gw.GaLore, galore, {"lr": 0.03, "scale": 1.0, "eps": 1e-3, **ONE}, shapes=SHAPES),
    Parity("fira", gw.Fira, fira, {"lr": 0.03, "weight_decay": 0.1, **TWO}, shapes=SHAPES),
    Parity("fira, one", gw.Fira, fira, {"lr": 0.03, "growth": 1.5, **ONE}, shapes=SHAPES),
    *(
        Parity(f"apollo, {kind} {shape[0]}", gw.APOLLO, apollo, {"scale_type": kind, "scale": 4.0, **TWO}, shapes=shape)
        for kind in ("channel", "tensor")
        for shape in (MATRIX, WIDE)
    ),
    Parity("apollo, vectors", gw.APOLLO, apollo, {"weight_decay": 0.1}, shapes=((5,), (4, 3))),
    Parity("flora", gw.Flora, flora, {"weight_decay": 0.1, **TWO}, shapes=MATRIX),
    Parity("flora, wide", gw.Flora, flora, {"relative_step": True, "lr": 0.3, "momentum": 0.7, **ONE}, shapes=WIDE),
    Parity("flora, no view", gw.Flora, flora, {"d": 0.5}, shapes=MATRIX),
    _low("project", SHAPES, **TWO),
    _low("residual", SHAPES, form="residual", weight_decay=0.1, **TWO),
    _low("random", MATRIX, basis="random", form="channel", share=1.0, **TWO),
    _low("random tensor", WIDE, basis="random", form="tensor", share=9.0, growth=1.2, **ONE),
)


NEAR = 1e-7
"""The published codes add 1e-8 to lengths."""


def _worked(name: str, recipe: object, *after: list[float], **knobs: object) -> Worked:
    expected = {t: [row[:3], row[3:]] for t, row in enumerate(after, start=1)}
    return Worked(name, recipe, {"lr": 0.1, "rank": 1, **knobs}, R0, RG, expected, tolerance=NEAR)


def _last(name: str, recipe: object, row: list[float], **knobs: object) -> Worked:
    return Worked(name, recipe, {"lr": 0.1, "rank": 1, **knobs}, R0, RG, {3: [row[:3], row[3:]]}, tolerance=NEAR)


WORKED = (
    _worked(
        "GaLore",
        gw.GaLore,
        [0.449666599837, -0.949655861506, 1.949656867589, 1.586375267730, 0.163606304621, -0.663608031123],
        [0.475875887745, -0.928109504400, 1.931712067775, 1.541398487844, 0.126631406093, -0.632813630519],
        [0.480247847695, -0.903418842764, 1.935655121157, 1.533895930695, 0.084260684020, -0.639580157129],
        scale=1.0,
    ),
    _last(
        "GaLore, scale and decay",
        gw.GaLore,
        [0.480443878896, -0.946696448286, 1.924965008379, 1.463523640590, 0.202071292717, -0.700897057076],
        weight_decay=0.1,
    ),
    _last(
        "GaLore, every step",
        gw.GaLore,
        [0.505085107353, -0.935293200215, 1.950571899980, 1.551052278467, 0.123451525283, -0.627458803463],
        scale=1.0,
        gap=1,
    ),
    _worked(
        "Fira",
        gw.Fira,
        [0.221902438609, -0.974746336617, 1.936854620964, 1.453650415222, 0.148985349373, -0.671068275464],
        [0.250830681803, -0.985722621060, 1.871858827112, 1.410258050273, 0.093058554377, -0.667691868150],
        [0.254998034475, -1.010543795453, 1.879479626835, 1.402636262467, 0.021835834259, -0.672315264173],
        scale=1.0,
    ),
    _last(
        "Fira, scale",
        gw.Fira,
        [0.249791776343, -1.063979315026, 1.906107281963, 1.411445369501, 0.083248195042, -0.715760314837],
    ),
)

PUBLISHED = {
    gw.GaLore: {"lr": 1e-2, "eps": 1e-6, "rank": 128, "gap": 200, "scale": 0.25, "weight_decay": 0.0},
    gw.Fira: {"eps": 1e-6, "rank": 128, "gap": 200, "scale": 0.25, "growth": 1.01},
    gw.APOLLO: {"lr": 1e-2, "eps": 1e-6, "rank": 256, "gap": 200, "scale": 1.0, "scale_type": "channel"},
    gw.Flora: {"beta2_decay": -0.8, "eps": (1e-30, 1e-3), "d": 1.0, "gap": 1000},
}

GOLDEN = {
    "GaLore": variant(gw.GaLore, rank=1, gap=4),
    "Fira": variant(gw.Fira, rank=1, gap=4),
    "APOLLO": variant(gw.APOLLO, rank=1, gap=4),
    "APOLLO-Mini": variant(gw.APOLLO, rank=1, scale_type="tensor", scale=128.0),
    "Flora": variant(gw.Flora, rank=1, gap=4),
    "LowRankAdamW": variant(LOW, rank=1, gap=4),
    "LowRankLion": variant(gw.low_rank(gw.Lion), rank=1, basis="random", form="residual"),
}

AVERAGED = chain(parts.Ema(0.5))
# the second column is all there is: half of it is the average
TALL = [[0.0, 3.0], [0.0, 4.0]]

PARTS = (
    case(parts.GrowthLimit(1.5), [3.0, 4.0], [3.0, 4.0], {"length": 5.0}),
    case(parts.GrowthLimit(1.5), [3.0, 4.0], [1.8, 2.4], {"length": 3.0}, state={"length": 2.0}),
    case(parts.GrowthLimit(1.5), [3.0, 4.0], [3.0, 4.0], {"length": 5.0}, state={"length": 4.0}),
    case(parts.GrowthLimit(1.5), [0.0, 0.0], [0.0, 0.0], {"length": 4.0}, state={"length": 4.0}),
    case(parts.CorrectAdam(0.5, 0.75), 3.0, 3.0 * math.sqrt(7 / 16) / 0.75, step=2.0),
    case(
        parts.LowRank(AVERAGED, 1, share=0.5),
        TALL,
        [[0.0, 0.75], [0.0, 1.0]],
        {"basis": [[0.0], [1.0]], "of.ema.m": [[1.5], [2.0]]},
    ),
    # what the basis of before sees of it, and half of the rest
    case(
        parts.LowRank(AVERAGED, 1, share=1.0, form="residual", growth=2.0),
        [[6.0, 3.0], [8.0, 4.0]],
        [[3.0, 1.5], [4.0, 2.0]],
        {"basis": [[1.0], [0.0]], "of.ema.m": [[3.0], [4.0]], "length": 2.5},
        state={"basis": [[1.0], [0.0]]},
        step=2.0,
    ),
    case(parts.LowRank(AVERAGED, 2), TALL, [[0.0, 1.5], [0.0, 2.0]], {"of.ema.m": [[0.0, 1.5], [0.0, 2.0]]}),
    case(parts.LowRank(AVERAGED, 1), [2.0, 4.0], [1.0, 2.0]),
    case(parts.CompressedEma(0.5, 2), TALL, [[0.0, 1.5], [0.0, 2.0]], {"m": [[0.0, 1.5], [0.0, 2.0]]}),
    case(parts.CompressedEma(0.5, 1), [2.0, 4.0], [1.0, 2.0], {"m": [1.0, 2.0]}),
)

DEFAULTS = (
    (parts.GrowthLimit(), parts.GrowthLimit(1.01)),
    (
        parts.LowRank(AVERAGED),
        parts.LowRank(AVERAGED, 128, 200, "svd", "project", 1.0, 1.01, "matrix & !embedding & !head"),
    ),
    (parts.CompressedEma(0.9), parts.CompressedEma(0.9, 128, 1000, "matrix & !embedding & !head")),
)
