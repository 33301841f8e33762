"""MADGRAD and FTRL."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import Worked, scalar
from tests.reference.dual_averaging import ftrl, madgrad, mirror_madgrad

CUBE_ROOT = {"lr_sizes_the_step": "the first step goes with the power 2/3 of lr"}

CONTRACT = (
    Contract(gw.MADGRAD, exceptions=CUBE_ROOT, ulps=16),  # a cube root by logarithm and exponential
    Contract(gw.MADGRAD, {"momentum": 0.0, "weight_decay": 0.01}, CUBE_ROOT),
    Contract(gw.MADGRAD, {"decoupled_weight_decay": True, "weight_decay": 0.01}, CUBE_ROOT),
    Contract(gw.FTRL),
    Contract(
        gw.FTRL,
        {"initial_accumulator_value": 0.1, "l2": 0.1},
        {"lr_sizes_the_step": "the penalty l₂ stands beside the root with lr as its factor"},
    ),
    Contract(gw.MirrorMADGRAD, ulps=16),
    Contract(
        gw.MirrorMADGRAD,
        {"momentum": 0.0, "weight_decay": 0.01, "eps": 1e-6},
        {"lr_sizes_the_step": "eps is added to lr, as in the authors' code"},
        ulps=16,
    ),
    Contract(gw.MirrorMADGRAD, {"decoupled_weight_decay": True, "weight_decay": 0.01}, ulps=16),
)

PARITY = (
    Parity("madgrad", gw.MADGRAD, madgrad, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("madgrad, no momentum", gw.MADGRAD, madgrad, {"lr": 0.03, "momentum": 0.0, "eps": 1e-3}),
    Parity(
        "madgrad, decoupled", gw.MADGRAD, madgrad, {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": True}
    ),
    Parity("ftrl", gw.FTRL, ftrl, {"lr": 0.3}),
    Parity("ftrl, penalties", gw.FTRL, ftrl, {"lr": 0.3, "beta": 0.5, "l1": 0.3, "l2": 0.2}),
    Parity("ftrl, n", gw.FTRL, ftrl, {"lr": 0.3, "beta": 0.0, "initial_accumulator_value": 0.25}),
    Parity("mirror madgrad", gw.MirrorMADGRAD, mirror_madgrad, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("mirror madgrad, no momentum", gw.MirrorMADGRAD, mirror_madgrad, {"lr": 0.03, "momentum": 0.0, "eps": 1e-3}),
    Parity(
        "mirror madgrad, decoupled",
        gw.MirrorMADGRAD,
        mirror_madgrad,
        {"lr": 0.03, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
)

WORKED = (
    scalar("MADGRAD", gw.MADGRAD, 0.990000033333, 1.000719782938, 0.988673273632),
    scalar("MADGRAD, no momentum", gw.MADGRAD, 0.900000333328, 1.097197529389, 0.880254689876, momentum=0.0),
    scalar("MADGRAD, L2", gw.MADGRAD, 0.987400784876, 0.985433273817, 0.963588926386, weight_decay=0.1),
    scalar(
        "MADGRAD, decoupled",
        gw.MADGRAD,
        *(0.979999933333, 0.981919595605, 0.961933810884),
        weight_decay=0.1,
        decoupled_weight_decay=True,
    ),
    Worked(
        "FTRL, from zero",
        gw.FTRL,
        {"lr": 0.1, "l1": 0.05, "l2": 0.01},
        0.0,
        [0.1, -0.2, 0.3],
        {1: -0.004541326067, 2: 0.003624560337, 3: -0.010919141151},
    ),
    scalar("FTRL, AdaGrad", gw.FTRL, 0.900000000000, 0.989442719100, 0.909264346526, beta=0.0),
    scalar("mirror MADGRAD", gw.MirrorMADGRAD, 0.995358411166, 0.998159908031, 0.992105565643),
    scalar(
        "mirror MADGRAD, decoupled",
        gw.MirrorMADGRAD,
        *(0.994358411166, 0.995316323919, 0.986598818292),
        weight_decay=0.1,
        decoupled_weight_decay=True,
    ),
)

PUBLISHED = {
    gw.MADGRAD: {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.0, "eps": 1e-6},
    gw.FTRL: {"beta": 1.0},
    gw.MirrorMADGRAD: {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.0, "eps": 0.0},
}

GOLDEN = {
    "MADGRAD": variant(gw.MADGRAD),
    "MADGRAD, decoupled": variant(gw.MADGRAD, weight_decay=0.1, decoupled_weight_decay=True),
    "FTRL": variant(gw.FTRL, 0.5, l1=0.2, l2=0.1),
    "MirrorMADGRAD": variant(gw.MirrorMADGRAD),
    "MirrorMADGRAD, decoupled": variant(gw.MirrorMADGRAD, weight_decay=0.1, decoupled_weight_decay=True),
}

PARTS = (
    # v = s = 8, whose cube root is 2: z = 3 − 4, half way from 3
    case(
        parts.DualAverage(8.0, 0.5, 0.0),
        1.0,
        2.0,
        {"v": 8.0, "s": 8.0},
        param=3.0,
    ),
    case(parts.FollowRegularizedLeader(1.0, 0.0), 2.0, 1.0, {"z": -4.0, "n": 4.0}, param=3.0),
    case(parts.FollowRegularizedLeader(1.0, 0.0, l1=9.0), 2.0, 1.0, {"z": -9.0, "n": 4.0}, param=1.0),
    # v = 8, whose cube root is 2: z = 3 − 4 · 1 · √8 / 2
    case(parts.MirrorAverage(4.0, 0.5), 8**0.5, 0.5 * 2 * 8**0.5, {"v": 8.0, "z": 3.0 - 2 * 8**0.5}, param=3.0),
    case(parts.MirrorAverage(4.0, 0.5), 0.0, 0.0, {"v": 0.0, "z": 3.0}, param=3.0),
)

STAGES = {3: {"DualAverage", "FollowRegularizedLeader", "MirrorAverage"}}

DEFAULTS = ((parts.MirrorAverage(1.0), parts.MirrorAverage(1.0, 0.9, 0.0, 0.0)),)
