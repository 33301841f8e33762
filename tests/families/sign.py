"""Lion, Signum and Tiger: steps that are signs."""

from __future__ import annotations

from typing import Any

import gradwright as gw
import gradwright.transforms as parts
from tests import reference
from tests.families.kinds import MATRICES, Contract, Parity, case, variant
from tests.families.worked import scalar, vector
from tests.reference.sign import focus, signum

TABLES = ((4, 3), (3, 5))

ROLES = ("embedding", "bias", "")


def _tiger(name: str, kind: str, shapes: Any, role: str | None, nan_at: tuple[int, ...] = (), **knobs: Any) -> Parity:
    return Parity(f"tiger, {name}", gw.Tiger, reference.tiger, knobs, {"kind": kind}, shapes, role, nan_at=nan_at)


CONTRACT = (
    Contract(gw.Lion),
    Contract(gw.Lion, {"weight_decay": 0.1}),
    Contract(gw.Signum),
    Contract(gw.Signum, {"momentum": 0.5, "weight_decay": 0.1}),
    Contract(gw.Tiger),
    Contract(gw.Tiger, {"lazy": True}),
    Contract(
        gw.Tiger,
        {"accumulate": 2},
        {"latecomers_start_at_one": "micro-batches are gathered in cycles that all tensors share"},
    ),
    Contract(gw.FOCUS),
    Contract(gw.FOCUS, {"gamma": 0.5, "weight_decay": 0.01}),
)

PARITY = (
    Parity("lion", gw.Lion, reference.lion, {"lr": 0.01, "weight_decay": 0.1}),
    Parity("signum", gw.Signum, signum, {"lr": 0.01, "weight_decay": 0.1}),
    _tiger("lazy", "embedding", TABLES, "embedding", lr=0.02, weight_decay=0.1, lazy=True),
    _tiger("kernel", "kernel", MATRICES, None, lr=0.02),
    _tiger("embedding", "embedding", TABLES, "embedding", lr=0.02, weight_decay=0.1),
    _tiger("bias", "bias", ((), (5,)), None, lr=0.02),
    _tiger("table of biases", "bias", TABLES, "bias", lr=0.02),
    _tiger("micro-steps", "kernel", MATRICES, None, lr=0.02, accumulate=4),
    _tiger("nan", "kernel", MATRICES, None, (3, 4, 9), lr=0.02, shrink=0.9),
    _tiger("gain, nan", "gain", ((5,), (2, 3)), "gain", (2, 8), lr=0.02),
    _tiger("micro-steps, nan", "embedding", TABLES, "embedding", (4, 7), lr=0.02, accumulate=3),
    Parity("focus", gw.FOCUS, focus, {"lr": 0.01}),
    Parity("focus, decay", gw.FOCUS, focus, {"lr": 0.01, "betas": (0.8, 0.9), "gamma": 0.4, "weight_decay": 0.1}),
)

GOLDEN = {
    "Lion": variant(gw.Lion, None),
    "Lion, decay": variant(gw.Lion, weight_decay=0.1),
    "Signum": variant(gw.Signum, None),
    "Signum, decay": variant(gw.Signum, weight_decay=0.1),
    "Tiger": variant(gw.Tiger, None),
    "Tiger, roles": variant(gw.Tiger, roles=ROLES),
    "Tiger, micro-steps": variant(gw.Tiger, roles=ROLES, accumulate=3),
    "Tiger, nan": variant(gw.Tiger, roles=("gain", "gain", "gain"), nan_at=(4, 9)),
    "FOCUS": variant(gw.FOCUS, None),
    "FOCUS, decay": variant(gw.FOCUS, gamma=0.3, weight_decay=0.1),
}

PUBLISHED = {
    gw.Signum: {"lr": 1e-4, "momentum": 0.9, "weight_decay": 0.0},
    gw.FOCUS: {"lr": 1e-2, "betas": (0.9, 0.999), "gamma": 0.1, "weight_decay": 0.0},
}

WORKED = (
    scalar("FOCUS", gw.FOCUS, 0.9, 1.01, 0.9),
    scalar("FOCUS, decay", gw.FOCUS, 0.89, 0.990550275138, 0.870948472285, weight_decay=0.1),
    vector(
        "FOCUS of a vector",
        gw.FOCUS,
        {1: [0.99, -2.01], 2: [0.982, -2.018], 3: [0.974, -2.006]},
        lr=0.01,
        gamma=0.2,
    ),
)

PARTS = (
    # a goes from 2 to 2 + ⅔ · 3 = 4
    case(
        parts.Attract(0.5, 0.25, 0.125),
        1.0,
        1.0 + 0.25 + 0.5,
        {"average": 4.0},
        param=5.0,
        state={"average": 2.0},
        step=2.0,
    ),
    case(parts.Attract(0.5, 0.25), 1.0, 1.0, {"average": 5.0}, param=5.0),
)

STAGES = {
    2: {"Attract"},
}

DEFAULTS = ((parts.Attract(), parts.Attract(0.999, 0.1, 0.0)),)
