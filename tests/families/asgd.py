"""ASGD and Rprop, which torch has too and which no other family resembles."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import scalar, vector
from tests.reference.asgd import asgd, rprop

LEAST = "the first step is at least the least step, as in torch, whatever lr is"
AS_TORCH = {
    "every_slot_moves": "an entry whose gradient has just turned around is remembered as zero, its start",
    "lr_sizes_the_step": LEAST,
    "groups_override_defaults": LEAST,
}

CONTRACT = (
    Contract(gw.ASGD),
    Contract(gw.ASGD, {"lambd": 0.1, "t0": 3.0, "weight_decay": 0.01}),
    Contract(gw.Rprop, exceptions=AS_TORCH),
    Contract(gw.Rprop, {"etas": (0.4, 1.4), "step_sizes": (1e-3, 0.1)}, AS_TORCH),
)

PARITY = (
    Parity("asgd", gw.ASGD, asgd, {"lr": 0.05}),
    Parity("asgd, late", gw.ASGD, asgd, {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "t0": 5.0, "weight_decay": 0.1}),
    Parity("rprop", gw.Rprop, rprop, {"lr": 0.01}),
    Parity("rprop, bounds", gw.Rprop, rprop, {"lr": 0.3, "etas": (0.3, 1.5), "step_sizes": (0.1, 0.4)}),
)

WORKED = (
    scalar("ASGD", gw.ASGD, 0.989990000000, 1.009979950176, 0.979970300520),
    scalar(
        "ASGD, averaging from the second step on",
        gw.ASGD,
        *(0.980000000000, 0.990124163296, 0.950811154703, 0.951292258417),
        steps=[0.1, -0.2, 0.3, -0.1],
        lambd=0.1,
        t0=1,
    ),
    scalar("Rprop", gw.Rprop, 0.99, 0.978, 0.978, 0.984, 0.9912, lr=0.01, steps=[0.1, 0.2, -0.1, -0.2, -0.3]),
    vector("Rprop, two entries", gw.Rprop, {1: [0.99, -2.01], 2: [0.99, -2.022], 3: [0.985, -2.022]}, lr=0.01),
)

PUBLISHED = {
    gw.ASGD: {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0},
    gw.Rprop: {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)},
}

GOLDEN = {
    "ASGD": variant(gw.ASGD),
    "ASGD, late": variant(gw.ASGD, lambd=0.1, t0=4.0, weight_decay=0.1),
    "Rprop": variant(gw.Rprop),
}

PARTS = (
    case(parts.WeightAverage(parts.LateMean(1.0)), 2.0, 2.0, {"average": 6.0}, param=8.0, state={"average": 4.0}),
    case(
        parts.WeightAverage(parts.LateMean(1.0)),
        2.0,
        2.0,
        {"average": 5.0},
        param=8.0,
        state={"average": 4.0},
        step=4.0,
    ),
    case(parts.WaningScale(0.5, 2.0, 1.0), 3.0, 1.5, {"eta": 0.25}),
    case(parts.WaningScale(0.5, 2.0, 1.0), 3.0, 0.75, {"eta": 0.5 / 3}, state={"eta": 0.25}, step=2.0),
    case(parts.ResilientStep(0.5), [3.0, -2.0, 0.0], [0.5, -0.5, 0.0], {"size": [0.5] * 3, "before": [3.0, -2.0, 0.0]}),
    case(
        parts.ResilientStep(0.5, 0.25, 2.0, 0.2, 1.5),
        [3.0, -2.0, 4.0, 1.0],
        [1.5, 0.0, 1.0, 0.5],
        {"size": [1.5, 0.25, 1.0, 0.5], "before": [3.0, 0.0, 4.0, 1.0]},
        state={"size": [1.0, 1.0, 1.0, 0.5], "before": [1.0, 2.0, 0.0, 0.0]},
        step=2.0,
    ),
)

STAGES = {2: {"ResilientStep", "WaningScale"}}
