"""Yogi."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import scalar
from tests.reference.yogi import yogi

CONTRACT = (
    Contract(gw.Yogi),
    Contract(gw.Yogi, {"initial_accumulator_value": 0.1, "weight_decay": 0.01}),
)

PARITY = (
    Parity("yogi", gw.Yogi, yogi, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("yogi, from one", gw.Yogi, yogi, {"lr": 0.03, "initial_accumulator_value": 1.0, "betas": (0.8, 0.9)}),
)

WORKED = (
    scalar(
        "Yogi, from zero",
        gw.Yogi,
        *(0.900990099010, 0.937366781677, 0.903208073414),
        initial_accumulator_value=0.0,
    ),
)

PUBLISHED = {gw.Yogi: {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-3, "initial_accumulator_value": 1e-6}}

GOLDEN = {"Yogi": variant(gw.Yogi), "Yogi, decay": variant(gw.Yogi, weight_decay=0.1)}

PARTS = (
    case((parts.AdditiveSquare(0.5, 0.0), parts.Bare()), 2.0, 1.0, {"v": 2.0}),
    case((parts.AdditiveSquare(0.5), parts.Bare()), 2.0, 2.0 / 3.0, {"v": 9.0 * 0.75}, state={"v": 8.75}, step=2.0),
)
