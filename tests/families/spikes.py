"""SPAM and Stable-SPAM."""

from __future__ import annotations

import math

import gradwright as gw
from gradwright import transforms as parts
from gradwright.core import chain
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import V0, H, Worked
from tests.reference.spikes import spam, stable_spam

SOON = {"reset_every": 5, "wait": 2, "warmup": 3}

CONTRACT = (
    Contract(gw.SPAM, {}, {"every_slot_moves": "the cosine of its warm-up turns after the first restart, at step 500"}),
    Contract(gw.SPAM, {**SOON, "threshold": 2.0, "weight_decay": 0.01}),
    Contract(gw.StableSPAM),
    Contract(gw.StableSPAM, {"reset_every": 3, "weight_decay": 0.01}),
)

PARITY = (
    Parity("spam", gw.SPAM, spam, {"lr": 0.03}),
    Parity("spam, often", gw.SPAM, spam, {"lr": 0.03, "weight_decay": 0.1, "threshold": 50.0, **SOON}),
    Parity("spam, at once", gw.SPAM, spam, {"lr": 0.03, "threshold": 3.0, "eps": 1e-3, "reset_every": 7, "wait": 1}),
    Parity("stable spam", gw.StableSPAM, stable_spam, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("stable spam, often", gw.StableSPAM, stable_spam, {"lr": 0.03, "theta": 0.8, "reset_every": 4}),
)

SPIKES = [[0.1, 0.3], [-0.2, 0.2], [0.3, 50.0], [0.1, 0.2], [-0.2, 0.1], [0.3, 0.3], [9.0, -0.3], [0.1, 0.1]]

WORKED = (
    Worked(
        "SPAM, of its authors' code",
        gw.SPAM,
        {"lr": 0.1, "weight_decay": 0.1, "threshold": 100.0, "reset_every": 5, "wait": 2, "warmup": 2},
        [1.0, 2.0],
        SPIKES,
        {
            1: [0.891031296652, 1.881010434416],
            3: [0.783401796005, 1.676914631955],  # the spike of 50 is clipped
            5: [0.713060352466, 1.562379001076],  # restarted, with a hundredth of a step
            6: [0.701499590623, 1.530340855392],
            8: [0.620735220988, 1.416098508829],
        },
    ),
    Worked(
        "Stable-SPAM",
        gw.StableSPAM,
        {"lr": 0.1},
        V0,
        H,
        {3: [0.879980873315, -2.175260015206]},
    ),
)

PUBLISHED = {
    gw.SPAM: {"lr": 1e-3, "eps": 1e-6, "threshold": 5000.0, "reset_every": 500, "wait": 20, "warmup": 150},
    gw.StableSPAM: {"lr": 1e-3, "gammas": (0.7, 0.9), "theta": 0.999, "eps": 1e-8, "reset_every": 1000},
}

GOLDEN = {
    "SPAM": variant(gw.SPAM),
    "SPAM, often": variant(gw.SPAM, threshold=2.0, weight_decay=0.1, **SOON),
    "StableSPAM": variant(gw.StableSPAM),
    "StableSPAM, often": variant(gw.StableSPAM, reset_every=3, weight_decay=0.1),
}

ADAM = chain(parts.Ema(0.5), parts.Precondition(parts.Full(0.5), parts.Bare()))
HELD = {"of.ema.m": 8.0, "of.precondition.v": 6.0}

PARTS = (
    case(parts.Restart(parts.Ema(0.5), 4), [4.0], [6.0], {"of.m": [6.0]}, state={"of.m": [8.0]}, step=3.0),
    case(parts.Restart(parts.Ema(0.5), 4), [4.0], [2.0], {"of.m": [2.0]}, state={"of.m": [8.0]}, step=4.0),
    case(parts.Restart(parts.Ema(0.5, debias=True), 4), [4.0], [4.0], {"of.m": [2.0]}, state={"of.m": [8.0]}, step=4.0),
    case(parts.Restart(parts.Ema(0.5, debias=True), 4, age=False), [4.0], [2.0 / (1 - 0.5**4)], step=4.0),
    # v = 6 and θ = 1½ let nothing beyond 3 through
    case(parts.ClipSpikes(ADAM, 1.5, 9, 2), 5.0, 5.5 / math.sqrt(10), {"of.ema.m": 5.5}, state=HELD, step=2.0),
    case(parts.ClipSpikes(ADAM, 1.5, 9, 3), 6.0, 7.0 / math.sqrt(28), {"of.ema.m": 7.0}, state=HELD, step=2.0),
    case(parts.ClipSpikes(ADAM, 1.5, 9, 1), 4.0, 2.0 / math.sqrt(8 / 0.75), {"of.precondition.v": 8.0}, step=2.0),
    case(parts.RestartWarmup(4, 2), 2.0, 2.0, step=3.0),
    case(parts.RestartWarmup(4, 2), 2.0, 0.02, {"cosine": 0.5, "sine": math.sqrt(0.75)}, step=4.0),
    case(parts.RestartWarmup(4, 2), 2.0, 2 * 0.2575, state={"cosine": 0.5, "sine": math.sqrt(0.75)}, step=5.0),
    case(parts.RestartWarmup(4, 2), 2.0, 2.0, step=6.0),
    case(parts.ClipPeaks(0.5), [4.0, -8.0], [4.0, -8.0], {"peak": 4.0}),
    case(parts.ClipPeaks(0.5), [4.0, -9.0], [4.0, -7.0 * 9 / 9], {"peak": 5.25}, state={"peak": 1.5}, step=2.0),
    case(parts.ClipPeaks(0.5), [0.0, 0.0], [0.0, 0.0], {"peak": 0.0}),
    case(parts.SteadyNorm(0.5, 0.5, 0.0), [3.0, -4.0], [0.6, -0.8], {"mean": 2.5, "square": 12.5}),
    case(parts.SteadyNorm(0.5, 0.5, 0.0), [0.0, 0.0], [0.0, 0.0]),
)

STAGES = {0: {"ClipPeaks", "SteadyNorm"}, 2: {"RestartWarmup"}}

DEFAULTS = (
    (parts.Restart(parts.Ema(0.9)), parts.Restart(parts.Ema(0.9), 500, True)),
    (parts.ClipSpikes(ADAM), parts.ClipSpikes(ADAM, 5000.0, 500, 20)),
    (parts.RestartWarmup(), parts.RestartWarmup(500, 150)),
    (parts.ClipPeaks(), parts.ClipPeaks(0.999)),
    (parts.SteadyNorm(), parts.SteadyNorm(0.7, 0.9, 1e-8)),
)
