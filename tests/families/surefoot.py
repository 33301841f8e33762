"""Surefoot: the default that needs no tuning."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.reference.surefoot import surefoot

KNOBS = {
    "lr": 0.7,
    "betas": (0.6, 0.9),
    "relative_step": 0.1,
    "rate": 0.2,
    "down": 0.6,
    "release": 0.4,
    "cap": 0.15,
    "cap_steps": 12.0,
    "keep": 0.9,
}
AVERAGING = parts.ScheduleFree(1.0, 0.5, r=1.0, power=0.0)
FLAT = {"rate": 0.25, "down": 0.5, "cap": 1e9, "keep": 0.0}

BELOW_A_CAP = {"lr_sizes_the_step": "no lr lifts the cap, and keeping the norm grows with the square of the step"}
FACTORED = gw.thrifty(gw.Surefoot)

CONTRACT = (
    Contract(gw.Surefoot, {}, BELOW_A_CAP, ulps=512),
    Contract(gw.Surefoot, KNOBS, BELOW_A_CAP, ulps=512),
    Contract(FACTORED, {"moment": "factored"}, BELOW_A_CAP, ulps=512),
)

PARITY = (
    Parity("surefoot", gw.Surefoot, surefoot, shapes=((4, 3),)),
    Parity("surefoot, all knobs", gw.Surefoot, surefoot, KNOBS, shapes=((3, 5),)),
    Parity("surefoot, fused", gw.Surefoot, surefoot, {**KNOBS, "split": 2}, shapes=((6, 4),)),
    Parity("surefoot, factored", FACTORED, surefoot, {**KNOBS, "moment": "factored"}, shapes=((4, 3),)),
    Parity("surefoot, factored kernel", FACTORED, surefoot, {"moment": "factored"}, shapes=((4, 3, 2, 2),)),
    Parity("surefoot, a vector", gw.Surefoot, surefoot, KNOBS, shapes=((5,),)),
)

GOLDEN = {
    "Surefoot": variant(gw.Surefoot, None),
    "Surefoot, all knobs": variant(gw.Surefoot, **KNOBS),
    "ThriftySurefoot, factored": variant(FACTORED, None, moment="factored"),
}

PARTS = (
    # the gradient lies along y − z = 2: k = ¼; of itself the only tensor, it is its own scale: step 8 · ½ · e^¼
    case(
        parts.SelfScaled(AVERAGING, relative_step=0.5, **FLAT),
        2.0,
        8.0 - (0.5 * 10.0 + 0.5 * (6.0 - 8 * math.exp(0.25))) - 0.5 * 3 / 6 * ((6 - 8 * math.exp(0.25)) - 10.0),
        {"k": 0.25, "of.z": 6.0 - 8 * math.exp(0.25)},
        param=8.0,
        grad=3.0,
        state={"of.z": 6.0, "of.share": 0.5, "of.weight_sum": 3.0},
        step=3.0,
    ),
    # against it: half as much, downwards
    case(
        parts.SelfScaled(AVERAGING, relative_step=0.5, **FLAT),
        0.0,
        8.0 - (0.5 * 10.0 + 0.5 * 6.0) - 0.5 * 3 / 6 * (6.0 - 10.0),
        {"k": -0.125, "of.z": 6.0},
        param=8.0,
        grad=-3.0,
        state={"of.z": 6.0, "of.share": 0.5, "of.weight_sum": 3.0},
        step=3.0,
    ),
)

STAGES = {3: {"SelfScaled"}}

DEFAULTS = ((parts.SelfScaled(AVERAGING), parts.SelfScaled(AVERAGING, 0.04, 0.03, 0.35, 0.25, 0.1, 400.0, 0.25, 1)),)
