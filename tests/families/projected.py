"""AdamP and SGDP; CAME."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import matrix, vector
from tests.reference.projected import adamp, came, sgdp

WIDE = {"delta": 2.0}  # gradients that are drawn stand at right angles to some rows only, so that all three ways occur

R = [[0.5, -1, 2], [1.5, 0.25, -0.75]]
RG = [
    [[0.3, -0.1, 0.2], [0.05, 0.4, -0.25]],
    [[-0.2, 0.15, 0.1], [0.3, -0.05, 0.2]],
    [[0.1, 0.2, -0.3], [-0.15, 0.25, 0.05]],
]

CONTRACT = (
    Contract(gw.AdamP),
    Contract(gw.AdamP, {"nesterov": True, "weight_decay": 0.01, **WIDE}),
    Contract(gw.SGDP),
    Contract(
        gw.SGDP,
        {"nesterov": True, "weight_decay": 0.01, **WIDE},
        {"descends_on_a_bowl": "a bowl asks for another length of the weights, which so wide a projection takes out"},
    ),
    Contract(gw.CAME),
    Contract(gw.CAME, {"debias": True, "weight_decay": 0.01}),
)

PARITY = (
    Parity("adamp", gw.AdamP, adamp, {"lr": 0.03, "weight_decay": 0.1, **WIDE}),
    Parity("adamp, nesterov", gw.AdamP, adamp, {"lr": 0.03, "nesterov": True, "delta": 1.0, "wd_ratio": 0.5}),
    Parity("sgdp", gw.SGDP, sgdp, {"lr": 0.01, "weight_decay": 0.1, **WIDE}),
    Parity("sgdp, nesterov", gw.SGDP, sgdp, {"lr": 0.01, "weight_decay": 0.1, "nesterov": True, "delta": 1.0}),
    Parity("came", gw.CAME, came, {"lr": 0.003, "weight_decay": 0.1}),
    Parity("came, debias", gw.CAME, came, {"lr": 0.01, "betas": (0.8, 0.95, 0.99), "debias": True}),
)

WORKED = (
    vector("AdamP of a vector", gw.AdamP, {3: [0.827934178607, -2.114781559945]}, lr=0.1, weight_decay=0.1),
    matrix(
        "CAME",
        gw.CAME,
        {
            1: [[0.903014271006, 2.120962456434], [2.877773533730, 3.898371208804]],
            2: [[0.963897308013, 2.152284685538], [2.779795071120, 3.901009479812]],
            3: [[0.946268379656, 2.101956689960], [2.741475803449, 3.845614109940]],
        },
        lr=0.01,
    ),
    matrix(
        "CAME, decay",
        gw.CAME,
        {3: [[0.943404370091, 2.095689561780], [2.732827109618, 3.833826623622]]},
        lr=0.01,
        weight_decay=0.1,
    ),
    vector(
        "CAME of a vector",
        gw.CAME,
        {1: [0.999, -2.001], 2: [0.998805292623, -2.003125790486], 3: [0.998361008001, -2.003650616825]},
        lr=0.01,
    ),
    Worked(
        "CAME, 2x3",
        gw.CAME,
        {"lr": 0.01},
        R,
        RG,
        {
            3: [
                [0.303561925804, -1.116022344986, 1.783497806247],
                [1.331152604482, -0.149940659835, -0.676862812446],
            ]
        },
    ),
)

PUBLISHED = {
    gw.AdamP: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "delta": 0.1, "wd_ratio": 0.1},
    gw.SGDP: {"delta": 0.1, "wd_ratio": 0.1, "eps": 1e-8},
    gw.CAME: {"lr": 2e-4, "betas": (0.9, 0.999, 0.9999), "eps": (1e-30, 1e-16), "clip_threshold": 1.0},
}

GOLDEN = {
    "AdamP": variant(gw.AdamP, weight_decay=0.1, **WIDE),
    "SGDP": variant(gw.SGDP, 0.02, weight_decay=0.1, **WIDE),
    "CAME": variant(gw.CAME, 0.01),
    "CAME, debias": variant(gw.CAME, debias=True, weight_decay=0.1),
}

PARTS = (
    # every row stands at right angles to its gradient: what goes along it is taken out, and a quarter of the decay
    case(
        parts.ProjectedDecay(1.0, ratio=0.25, eps=0.0),
        [[3.0, 5.0], [7.0, 2.0]],
        [[0.5, 5.0], [7.0, 1.0]],
        param=[[2.0, 0.0], [0.0, 4.0]],
        grad=[[0.0, 1.0], [1.0, 0.0]],
    ),
    # the rows do not, but they do so together
    case(
        parts.ProjectedDecay(0.0, eps=0.0),
        [[2.0, 0.0], [0.0, 0.0]],
        [[1.0, 0.0], [1.0, 0.0]],
        param=[[1.0, 0.0], [-1.0, 0.0]],
        grad=[[1.0, 0.0], [1.0, 0.0]],
    ),
    case(parts.ProjectedDecay(1.0), [[2.0]], [[4.0]], param=[[2.0]], grad=[[1.0]]),
    case(parts.ProjectedDecay(1.0), [2.0], [4.0], param=[2.0], grad=[0.0]),
    case(
        (parts.FactoredEma(0.75, 0.0), parts.Bare()),
        [[1.0, -2.0], [-3.0, 6.0]],
        [[2.0, -2.0], [-2.0, 2.0]],
        {"row": [[0.625], [5.625]], "column": [[1.25, 5.0]]},
    ),
    case((parts.FactoredEma(0.75, 0.0), parts.Bare()), [3.0], [2.0], {"v": [2.25]}),
    case(parts.ConfidentEma(0.5, 0.75, 0.0), [[4.0]], [[2.0]], {"m": [[2.0]], "row": [[1.0]], "column": [[1.0]]}),
    case(parts.ConfidentEma(0.5, 0.75, 0.0, debias=True), [[4.0]], [[1.0]], {"m": [[2.0]]}),
    case(parts.ConfidentEma(0.5), [4.0], [2.0], {"m": [2.0]}),
)

STAGES = {2: {"ProjectedDecay"}}
