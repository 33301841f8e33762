"""Scion, Dion and Dion2."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import GOLDEN_MATRICES, MATRICES, Contract, Parity, case, variant
from tests.families.worked import M2, matrix
from tests.reference.muon import response
from tests.reference.norm_balls import dion, dion2, scion

OWN_START = {"latecomers_start_at_one": "every parameter begins with random vectors of its own"}

CONTRACT = (
    Contract(gw.Scion, ulps=512),  # steps of 50 in the polar factor, beside weights of 1
    Contract(gw.Scion, {"constrained": False, "radius": 1.0, "lr": 0.02}, ulps=512),
    Contract(gw.Scion, {"ball": "column", "radius": 1.0, "lr": 0.02}),
    Contract(gw.Dion, {}, OWN_START),
    Contract(gw.Dion, {"rank_fraction": 0.4}, OWN_START),
    Contract(gw.Dion2),
    Contract(gw.Dion2, {"fraction": 0.6, "coefficients": "you"}),
)

SHAPES = ((), (5,), (4, 3), (3, 5), (2, 3, 4), (4, 3, 2, 2))
RANKS = ((4, 3), (2, 3, 4))

PARITY = (
    Parity("scion", gw.Scion, scion, {"lr": 0.01}, shapes=SHAPES),
    Parity("scion, head", gw.Scion, scion, {"lr": 1e-3}, {"head": True}, ((4, 3), (3, 5)), "head"),
    Parity("scion, free", gw.Scion, scion, {"lr": 0.01, "constrained": False, "coefficients": "you"}, shapes=MATRICES),
    *(
        Parity(
            f"scion, {ball}", gw.Scion, scion, {"lr": 0.01, "ball": ball, "momentum": 0.7}, shapes=((4, 3), (2, 3, 4))
        )
        for ball in ("sign", "column", "row", "token", "rms")
    ),
    *(
        Parity(
            f"dion, {shape}", gw.Dion, dion, {"lr": 0.03, "rank_fraction": share, "weight_decay": 0.1}, shapes=(shape,)
        )
        for shape, share in (((4, 3), 0.6), ((3, 5), 0.3), ((4, 3, 2, 2), 0.5), ((3, 3), 1.0))
    ),
    Parity("dion2", gw.Dion2, dion2, {"lr": 0.03, "weight_decay": 0.1}, shapes=MATRICES),
    Parity("dion2, most", gw.Dion2, dion2, {"lr": 0.03, "fraction": 0.6, "momentum": 0.8}, shapes=MATRICES),
)

M3 = [*M2, [[0.15, 0.25], [-0.1, 0.2]]]
WORKED = (
    matrix(
        "Scion, sign",
        gw.Scion,
        {3: [[-0.529008000000, 1.372584000000], [1.353376000000, 2.294568000000]]},
        steps=M3,
        lr=0.02,
        ball="sign",
    ),
    matrix(  # printed with 1e-8 beside the root mean square, at steps of 1
        "Scion, columns",
        gw.Scion,
        {3: [[-1.856157842650, 1.752233502014], [0.109467748170, -0.283150815355]]},
        steps=M3,
        lr=0.02,
        ball="column",
        tolerance=3e-6,
    ),
    matrix(
        "Scion, rows",
        gw.Scion,
        {3: [[-0.838206229356, 1.452994812820], [2.197396682949, 1.802216669907]]},
        steps=M3,
        lr=0.02,
        ball="row",
        tolerance=3e-6,
    ),
)

PUBLISHED = {
    gw.Scion: {"lr": 2**-12, "momentum": 0.9, "radius": 50.0, "head_radius": 3000.0},
    gw.Dion: {"lr": 1e-2, "momentum": 0.95, "weight_decay": 1e-2, "rank_fraction": 1.0},
    gw.Dion2: {"lr": 1e-2, "momentum": 0.95, "weight_decay": 1e-2, "fraction": 0.25},
}

GOLDEN = {
    "Scion": variant(gw.Scion, 0.01),
    "Scion, roles": variant(gw.Scion, 0.001, roles=("head", "bias", "")),
    "Dion": variant(gw.Dion, None, GOLDEN_MATRICES),
    "Dion, half": variant(gw.Dion, shapes=GOLDEN_MATRICES, rank_fraction=0.5),
    "Dion2": variant(gw.Dion2, None, GOLDEN_MATRICES),
}

PARTS = (
    case(parts.NormBall("rms", 2.0), [3.0, -4.0], [6 / math.sqrt(12.5), -8 / math.sqrt(12.5)]),
    case(parts.NormBall(radius=2.0), [0.0, 0.0], [0.0, 0.0]),
    case(parts.NormBall("sign", 2.0), [[3.0, -4.0]], [[1.0, -1.0]]),
    case(parts.NormBall(head_radius=4.0), [[3.0, -4.0]], [[2.0, -2.0]], role="head"),
    case(parts.NormBall("column", 2.0), [[3.0, -4.0]], [[2.0, -2.0]]),
    case(parts.NormBall("row", 2.0), [[3.0, -4.0]], [[0.6 * math.sqrt(2), -0.8 * math.sqrt(2)]]),
    case(parts.NormBall(radius=2.0), [[3.0, -4.0]], [[6 / math.sqrt(12.5), -8 / math.sqrt(12.5)]], role="embedding"),
    case(parts.NormBall(radius=2.0), [[0.0], [3.0]], [[0.0], [2 * math.sqrt(2) * response(1.0, "keller")]]),
    # of rank one, a step finds all there is
    case(
        parts.PowerIteration(0.5),
        [[0.0], [4.0]],
        [[0.0], [1.0]],
        {"m": [[0.0], [2.0]]},
        state={"q": [[2.0]]},
        step=2.0,
    ),
    case(parts.PowerIteration(0.5), [[0.0], [0.0]], [[0.0], [0.0]], {"m": [[0.0], [0.0]]}),
    case(
        parts.TopRows(0.5, 0.5, ((1.0, 0.0, 0.0),)),
        [[3.0, 4.0], [1.0, 0.0]],
        [[0.6, 0.8], [0.0, 0.0]],
        {"m": [[1.5, 2.0], [1.0, 0.0]]},
    ),
)

DEFAULTS = (
    (parts.NormBall(), parts.NormBall("auto", 50.0, 3000.0, "keller")),
    (parts.PowerIteration(), parts.PowerIteration(0.95, 1.0)),
    (parts.TopRows(), parts.TopRows(0.95, 0.25, "polar_express")),
)
