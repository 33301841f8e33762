"""QHM, QHAdam, AggMo; LaProp, NovoGrad, BCOS; Ranger."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.conditioning import CANCELLED, SUMS_STAY
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import G, Worked, matrix, scalar, vector
from tests.reference import momentum_forms as reference

CONTRACT = (
    Contract(gw.QHM),
    Contract(gw.QHM, {"nu": 0.9, "momentum": 0.9, "weight_decay": 0.01}),
    Contract(gw.QHAdam),
    Contract(gw.QHAdam, {"nus": (0.7, 0.9), "weight_decay": 0.01, "decoupled_weight_decay": True}),
    Contract(gw.AggMo),
    Contract(gw.LaProp, ulps=8),  # a root, a quotient and an average in turn
    Contract(gw.LaProp, {"weight_decay": 0.01}),
    Contract(gw.NovoGrad),
    Contract(gw.NovoGrad, {"averaging": True, "weight_decay": 0.01}),
    Contract(gw.BCOS),
    Contract(gw.Ranger, exceptions={"descends_on_a_bowl": SUMS_STAY}, ulps=CANCELLED),
)

PARITY = (
    Parity("qhm", gw.QHM, reference.qhm, {"lr": 0.1, "weight_decay": 0.1}),
    Parity(
        "qhm, decoupled",
        gw.QHM,
        reference.qhm,
        {"lr": 0.03, "nu": 0.4, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    Parity("qhadam", gw.QHAdam, reference.qhadam, {"lr": 0.03, "weight_decay": 0.1}),
    Parity(
        "qhadam, both",
        gw.QHAdam,
        reference.qhadam,
        {"lr": 0.03, "nus": (0.7, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    Parity("aggmo", gw.AggMo, reference.aggmo, {"lr": 0.02, "weight_decay": 0.1}),
    Parity("aggmo, others", gw.AggMo, reference.aggmo, {"lr": 0.02, "betas": (0.3, 0.6, 0.95)}),
    Parity("laprop", gw.LaProp, reference.laprop, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("novograd", gw.NovoGrad, reference.novograd, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("novograd, averaging", gw.NovoGrad, reference.novograd, {"lr": 0.1, "weight_decay": 0.1, "averaging": True}),
    Parity("bcos", gw.BCOS, reference.bcos, {"lr": 0.03}),
    Parity("ranger", gw.Ranger, reference.ranger, {"lr": 0.03, "weight_decay": 0.1}),
)

WORKED = (
    scalar("QHM", gw.QHM, 0.969930000000, 1.030000070000, 0.939860069930, lr=1.0),
    scalar("QHM, L2", gw.QHM, 0.992600000000, 0.995067380000, 0.979786292694, momentum=0.9, weight_decay=0.1),
    scalar(
        "QHM, decoupled",
        gw.QHM,
        *(0.986300000000, 0.983207000000, 0.962967930000),
        momentum=0.9,
        weight_decay=0.1,
        decoupled_weight_decay=True,
    ),
    scalar("QHAdam", gw.QHAdam, 0.900000010000, 0.960240677457, 0.896885770855),
    scalar(
        "QHAdam, both", gw.QHAdam, 0.900000010000, 0.961744963933, 0.898917046619, betas=(0.9, 0.999), nus=(0.7, 0.9)
    ),
    scalar("AggMo", gw.AggMo, 0.990000000000, 1.003700000000, 0.980333000000),
    scalar("AggMo, decay", gw.AggMo, 0.980000000000, 0.977600000000, 0.932316000000, weight_decay=0.1),
    scalar("LaProp", gw.LaProp, 0.900000000000, 0.919195856590, 0.880078359281),
    vector(
        "NovoGrad",
        gw.NovoGrad,
        {
            1: [0.901941934354, -2.019611613129],
            2: [0.867918010424, -2.077663471224],
            3: [0.815817600490, -2.053702007614],
        },
        lr=0.1,
    ),
    vector(
        "NovoGrad, averaging",
        gw.NovoGrad,
        {
            1: [0.994597096718, -1.999980580656],
            2: [0.991923601973, -2.000933183271],
            3: [0.987898936054, -1.996882152723],
        },
        lr=0.1,
        weight_decay=0.1,
        averaging=True,
    ),
    vector(
        "NovoGrad, optax's betas",
        gw.NovoGrad,
        {3: [0.851274033749, -2.049860049016]},
        lr=0.1,
        betas=(0.9, 0.25),
        eps=1e-6,
    ),
    scalar("BCOS", gw.BCOS, 0.890000999990, 0.810246278305, 0.682489013590),
    matrix(
        "Ranger",
        gw.Ranger,
        {8: [[0.993504242802, 2.006495757198], [2.999846153589, 4.000153846411]]},
        steps=[*G, *G, *G[:2]],
        lr=0.1,
    ),
    scalar("Ranger, a number", gw.Ranger, 0.990000000000, 0.997692307692, 0.990672149936, k=2),
    Worked(
        "Ranger, decay",
        gw.Ranger,
        {"lr": 0.1, "weight_decay": 0.1},
        1.0,
        [0.1, -0.2, 0.3, 0.1, -0.2, 0.3, 0.1],
        {7: 0.949275355719},
    ),
)

PUBLISHED = {
    gw.QHM: {"momentum": 0.999, "nu": 0.7},
    gw.QHAdam: {"lr": 1e-3, "betas": (0.995, 0.999), "nus": (0.7, 1.0), "eps": 1e-8},
    gw.AggMo: {"betas": (0.0, 0.9, 0.99)},
    gw.LaProp: {"lr": 4e-4, "betas": (0.9, 0.999), "eps": 1e-15},
    gw.NovoGrad: {"betas": (0.95, 0.98)},
    gw.BCOS: {"momentum": 0.9, "eps": 1e-6, "weight_decay": 0.1},
    gw.Ranger: {"lr": 1e-3, "betas": (0.95, 0.999), "eps": 1e-5, "k": 6, "alpha": 0.5},
}

GOLDEN = {
    "QHM": variant(gw.QHM, None),
    "QHAdam": variant(gw.QHAdam, nus=(0.7, 0.9)),
    "AggMo": variant(gw.AggMo, weight_decay=0.1),
    "LaProp": variant(gw.LaProp, weight_decay=0.1),
    "NovoGrad": variant(gw.NovoGrad, weight_decay=0.1),
    "NovoGrad, averaging": variant(gw.NovoGrad, averaging=True),
    "BCOS": variant(gw.BCOS),
    "Ranger": variant(gw.Ranger),
}

PARTS = (
    case(parts.QuasiHyperbolic(0.75), 4.0, 0.75 * 4 + 0.25 * 2, grad=2.0),
    case(parts.AggregateMomentum(0.0, 0.5, 0.75), 3.0, 3.0, {"m1": 3.0, "m2": 3.0, "m3": 3.0}),
    case(
        parts.AggregateMomentum(0.0, 0.5, 0.75),
        2.0,
        4.0,
        {"m1": 2.0, "m2": 4.0, "m3": 6.0},
        state={"m2": 4.0, "m3": 16 / 3},
    ),
    case((parts.QuasiSquare(parts.Full(0.5), 0.75), parts.Bare()), 6.0, 2.0, {"v": 4.5}, grad=3.0),
    case(
        (parts.QuasiSquare(parts.Full(0.5), 0.5), parts.Bare()),
        6.0,
        6 / math.sqrt(0.5 * 10 + 0.5 * 9),
        {"v": 7.5},
        grad=3.0,
        state={"v": 6.0},
        step=2.0,
    ),
    case((parts.TensorSquare(0.5), parts.Bare()), [3.0, 4.0], [0.6, 0.8], {"v": 25.0}),
    case((parts.TensorSquare(0.5), parts.AddEps(5.0)), [3.0, 4.0], [0.3, 0.4], {"v": 25.0}, state={"v": 25.0}),
    case(parts.ConditionalAverage(0.5, 0.0), -3.0, -1.0, {"m": -3.0}),
    case(parts.ConditionalAverage(0.5, 1.0), 2.0, 0.0, {"m": 0.0}, state={"m": -2.0}, step=2.0),
)
