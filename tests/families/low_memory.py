"""SM3, Amos, SMMF, and what thrifty() makes of other recipes."""

from __future__ import annotations

import math

import gradwright as gw
from gradwright import transforms as parts
from gradwright.core import chain
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import G, matrix, scalar, vector
from tests.reference.low_memory import amos, sm3, smmf, thrifty_adamw

ITS_OWN_DECAY = {"lr_sizes_the_step": "its decay is part of the method and grows with the square of lr"}
ONE_SIGN = "the one bit of a single number stays as it starts while its average keeps that sign"
SCALAR_SLOT = {"role": "bias", "eta": 0.5}

CONTRACT = (
    Contract(gw.SM3),
    Contract(gw.SM3, {"momentum": 0.9, "weight_decay": 0.01}),
    Contract(gw.SM3, {"form": "I"}),
    Contract(gw.Amos, exceptions=ITS_OWN_DECAY),
    Contract(gw.Amos, {"eta": 0.3, "momentum": 0.9}, ITS_OWN_DECAY),
    Contract(gw.SMMF),
    Contract(gw.SMMF, {"signs": "binary", "weight_decay": 0.01}, {"every_slot_moves": ONE_SIGN}),
    Contract(gw.thrifty(gw.AdamW)),
    Contract(gw.thrifty(gw.AdamW), {"moment": "tensor"}),
    Contract(gw.thrifty(gw.AdamW), {"moment": "factored"}),
    Contract(gw.thrifty(gw.NAdamW)),
)

PARITY = (
    Parity("sm3", gw.SM3, sm3, {"lr": 0.1}),
    Parity("sm3, momentum", gw.SM3, sm3, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    Parity("sm3, I", gw.SM3, sm3, {"lr": 0.1, "form": "I", "eps": 1e-3}),
    Parity("amos", gw.Amos, amos, {"lr": 0.1}),
    Parity("amos, momentum", gw.Amos, amos, {"lr": 0.1, "beta": 0.98, "eta": 0.5, "momentum": 0.9}),
    Parity("amos, clipped", gw.Amos, amos, {"lr": 0.1, "clip": 0.7, "c_coef": 0.5, "d_coef": 0.1, "eps": 1e-3}),
    Parity("smmf", gw.SMMF, smmf, {"lr": 0.1}),
    Parity("smmf, binary", gw.SMMF, smmf, {"lr": 0.1, "signs": "binary", "beta2_decay": -0.8, "weight_decay": 0.1}),
    Parity("smmf, no growth", gw.SMMF, smmf, {"lr": 0.1, "momentum": 0.7, "growth_rate": 0.5}),
    Parity("thrifty adamw", gw.thrifty(gw.AdamW), thrifty_adamw, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("thrifty adamw, tensor", gw.thrifty(gw.AdamW), thrifty_adamw, {"lr": 0.03, "moment": "tensor"}),
    Parity("thrifty adamw, factored", gw.thrifty(gw.AdamW), thrifty_adamw, {"lr": 0.03, "moment": "factored"}),
)

WORKED = (
    matrix(
        "SM3-II",
        gw.SM3,
        {1: [[0.9, 2.1], [2.9, 3.9]], 3: [[0.9238585496, 1.9890520226], [2.9147948536, 3.9228609324]]},
        state={"precondition.axis0": [[0.1425], [0.29]], "precondition.axis1": [[0.1025, 0.29]]},
        lr=0.1,
    ),
    matrix(
        "SM3-I",
        gw.SM3,
        {1: [[0.95, 2.1], [2.9, 3.9]], 3: [[0.9809747074, 1.9984180431], [2.9117398711, 3.9228609324]]},
        state={"precondition.axis1": [[0.1525, 0.3125]]},
        lr=0.1,
        form="I",
    ),
    matrix(
        "SM3-II with momentum",
        gw.SM3,
        {3: [[0.9816498160, 2.0119802799], [2.9728998945, 3.9805860932]]},
        lr=0.1,
        momentum=0.9,
    ),
    vector("SM3 of a vector", gw.SM3, {3: [0.9345464904, -2.1021555630]}, lr=0.1),
    matrix(
        "Amos, one number",
        gw.Amos,
        {
            1: [[0.9767425814, 2.0265148372], [2.9302277442, 3.9069703257]],
            3: [[0.9783792262, 1.9348085952], [2.9227568431, 3.8987375633]],
        },
        state={"model_oriented_step.b": 0.0236297907},
        lr=0.1,
        **SCALAR_SLOT,
    ),
    matrix(
        "Amos, one number a row",
        gw.Amos,
        {3: [[0.9720878546, 1.9264506870], [2.9400437531, 3.9174400074]]},
        state={"model_oriented_step.b": [[0.0341429774], [0.0193349017]]},
        lr=0.1,
        eta=0.5,
    ),
    matrix(
        "Amos with momentum",
        gw.Amos,
        {3: [[0.9973960052, 1.9955288823], [2.9784752807, 3.9785102010]]},
        lr=0.1,
        momentum=0.9,
        **SCALAR_SLOT,
    ),
    scalar("Amos of a number", gw.Amos, 0.945, 1.0006502085, 0.9217152653, eta=0.5),
    # half as much, with the sign turned, in pytorch_optimizer: [[0.9817425814, 2.0365148372], ...]
    matrix(
        "Amos with an L2 penalty",
        gw.Amos,
        {1: [[0.9667425814, 2.0065148372], [2.9002277442, 3.8669703257]]},
        lr=0.1,
        extra_l2=0.01,
        **SCALAR_SLOT,
    ),
    matrix(
        "SMMF",
        gw.SMMF,
        {
            1: [[0.9900000010, 2.0099999995], [2.9900000003, 3.9900000002]],
            2: [[0.9951565265, 2.0146966933], [2.9713214239, 3.9877658124]],
            3: [[0.9916502140, 2.0049589732], [2.9616531691, 3.9762308710]],
        },
        lr=0.1,
    ),
    matrix(
        "SMMF, factors of the first step",
        gw.SMMF,
        {},
        steps=G[:1],
        state={
            "square_ema.row": [[0.03], [0.07]],
            "square_ema.column": [[0.4, 0.6]],
            "precondition.row": [[0.05], [0.25]],
            "precondition.column": [[1 / 3, 2 / 3]],
        },
    ),
    matrix(
        "SMMF, the decay of transformers",
        gw.SMMF,
        {3: [[0.9918212844, 2.0040892578], [2.9661084378, 3.9776090170]]},
        lr=0.1,
        beta2_decay=-0.8,
    ),
)

PUBLISHED = {
    gw.SM3: {"eps": 1e-30, "form": "II"},
    gw.Amos: {"beta": 0.999, "momentum": None, "clip": None, "extra_l2": 0.0, "c_coef": 0.25, "d_coef": 0.25},
    gw.SMMF: {"lr": 1e-3, "momentum": 0.9, "eps": 1e-8, "weight_decay": 0.0, "beta2_decay": -0.5, "growth_rate": 0.999},
}

GOLDEN = {
    "SM3": variant(gw.SM3),
    "SM3, I": variant(gw.SM3, form="I", momentum=0.9, weight_decay=0.1),
    "Amos": variant(gw.Amos),
    "Amos, roles": variant(gw.Amos, roles=("embedding", "gain", "head"), momentum=0.9, clip=1.0, extra_l2=0.01),
    "SMMF": variant(gw.SMMF),
    "SMMF, binary": variant(gw.SMMF, signs="binary", beta2_decay=-0.8, weight_decay=0.1),
    "ThriftyAdamW": variant(gw.thrifty(gw.AdamW)),
    "ThriftyAdamW, tensor": variant(gw.thrifty(gw.AdamW), moment="tensor"),
    "ThriftyAdamW, factored": variant(gw.thrifty(gw.AdamW), moment="factored"),
}

TWO = math.sqrt(2)

PARTS = (
    # axes 1, 4 and 2, 8: the least of them, and g² on top
    case(
        (parts.Sm3(eps=0.0), parts.Bare()),
        [[1.0, 2.0], [0.0, 4.0]],
        [[1 / math.sqrt(4), 2 / math.sqrt(7)], [0.0, 4 / math.sqrt(20)]],
        {"axis0": [[7.0], [20.0]], "axis1": [[4.0, 20.0]]},
        state={"axis0": [[3.0], [4.0]], "axis1": [[3.0, 8.0]]},
    ),
    case(
        (parts.Sm3("I", eps=0.0), parts.Bare()),
        [[1.0, 2.0], [0.0, 4.0]],
        [[1 / 2, 2 / math.sqrt(7)], [0.0, 4 / math.sqrt(20)]],
        {"axis0": [[7.0], [20.0]], "axis1": [[4.0, 24.0]]},
        state={"axis0": [[3.0], [4.0]], "axis1": [[3.0, 8.0]]},
    ),
    case((parts.Sm3(), parts.Bare()), [0.0, 2.0], [0.0, 1.0], {"axis0": [0.0, 4.0]}),
    case((parts.Sm3(eps=12.0), parts.Bare()), 2.0, 0.5, {"axis0": 4.0}),
    case((parts.PerTensor(0.5), parts.Bare()), [[1.0, 7.0]], [[0.2, 1.4]], {"v": 12.5}),
    case((parts.PerRow(0.5), parts.Bare()), [[1.0, 7.0], [2.0, 2.0]], [[0.2, 1.4], [1, 1]], {"v": [[12.5], [2.0]]}),
    case((parts.PerRow(0.5), parts.Bare()), [3.0, -4.0], [1.0, -1.0], {"v": [4.5, 8.0]}),
    case((parts.PerRow(0.5, only="!vector"), parts.Bare()), [1.0, 7.0], [0.2, 1.4], {"v": 12.5}),
    # rows of each matrix of a stack, and whole filters of a convolution
    case(
        (parts.PerRow(0.5), parts.Bare()),
        [[[1.0, 7.0]], [[2.0, 2.0]]],
        [[[0.2, 1.4]], [[1.0, 1.0]]],
        {"v": [[[12.5]], [[2.0]]]},
    ),
    case((parts.PerRow(0.5), parts.Bare()), [[[[1.0, 7.0]]]], [[[[0.2, 1.4]]]], {"v": [[[[12.5]]]]}),
    case((parts.PerRow(0.5, floor=8.0), parts.Bare()), 2.0, 0.5, {"v": 2.0}),
    # of one rank, the squares are what rows and columns say, so that all is left of the gradient is its sign
    case(
        (parts.RowsAndColumns(0.5), parts.Bare()),
        [[1.0, -2.0], [3.0, 6.0]],
        [[1.0, -1.0], [1.0, 1.0]],
        {"row": [[1.25], [11.25]], "column": [[2.5, 10.0]]},
    ),
    case((parts.RowsAndColumns(0.5), parts.Bare()), [3.0, -4.0], [1.0, -1.0], {"v": [4.5, 8.0]}),
    case(
        (parts.RowsAndColumns(0.5), parts.AddEps(1.0)),
        [[0.0, 0.0]],
        [[0.0, 0.0]],
        {"row": [[0.0]], "column": [[0.0, 0.0]]},
    ),
    # v̂ = g² and so γ = c ξ²: ξ = ¼ and b = 24 make c = 1 / √(1 + 3) and d = 1 / (1 + 3)
    case(
        chain(parts.Precondition(parts.PerTensor(0.5), parts.Bare()), parts.ModelOrientedStep(0.25, by_role=False)),
        2.0,
        0.25 * (0.25 * 1.0 + 3 / 64),
        {"precondition.v": 2.0, "model_oriented_step.b": 24 + 25 / 32},
        param=3.0,
        state={"model_oriented_step.b": 24.0},
    ),
    # v = R C = [[1, 3]] at first, and half of it is left
    case(
        (parts.SquareMatrix(1.0), parts.Bare()),
        [1.0, 1.0],
        [1.0, 1 / TWO],
        {"row": [[1.0], [2.0]], "column": [[1.0]]},
        state={"row": [[4.0], [12.0]], "column": [[0.25]]},
        step=2.0,
    ),
    case((parts.SquareMatrix(), parts.Bare()), [[3.0], [-4.0]], [[1.0], [-1.0]], {"row": [[9.0], [16.0]]}),
    # m was [2, −6]: the signs are 1 and 2, 1 + 2 · 3 = 7 in base three
    case(
        parts.SquareEma(0.5, 1.0),
        [0.0, 2.0],
        [1.0, -2.0],
        {"row": [[1.0], [2.0]], "column": [[1.0]], "sign": [7]},
        state={"row": [[2.0], [6.0]], "column": [[1.0]], "sign": [7]},
        step=2.0,
    ),
    case(parts.SquareEma(0.5), [0.0, 2.0], [0.0, 1.0], {"sign": [3]}),
    case(parts.SquareEma(0.5, signs="binary"), [0.0, 2.0], [0.0, 1.0], {"sign": [2]}),
    case(parts.SquareEma(0.5, 0.5), 4.0, 3.0, step=2.0),
)

STAGES = {2: {"ModelOrientedStep"}}

DEFAULTS = (
    (parts.Sm3(), parts.Sm3("II", 1e-30)),
    (parts.PerRow(0.9), parts.PerRow(0.9, 0.0, "*")),
    (parts.SquareMatrix(), parts.SquareMatrix(0.5)),
    (parts.SquareEma(0.9), parts.SquareEma(0.9, 0.999, "ternary")),
    (
        parts.ModelOrientedStep(0.1),
        parts.ModelOrientedStep(0.1, 1.0, 0.0, 0.25, 0.25, True, "!vector & !scalar & !bias & !gain"),
    ),
)
