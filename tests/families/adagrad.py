"""AdaGrad, RMSprop and AdaDelta."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import scalar
from tests.reference.adagrad import adadelta, adagrad, kate, rmsprop

THROWN = {"descends_on_a_bowl": "the first step is lr / g: entries that begin near their optimum are thrown far off"}

CONTRACT = (
    Contract(gw.Adagrad),
    Contract(
        gw.Adagrad,
        {"initial_accumulator_value": 0.1, "lr_decay": 0.1, "weight_decay": 0.01},
        {"scale_free": "a first value of the sum is a size to which gradients compare"},
    ),
    Contract(gw.RMSprop),
    Contract(gw.RMSprop, {"momentum": 0.9, "weight_decay": 0.01}),
    Contract(
        gw.RMSprop,
        {"centered": True, "momentum": 0.9},
        ulps=1 << 13,  # of gradients that stay alike the variance is what rounding leaves of two large terms
    ),
    Contract(gw.Adadelta, ulps=8),  # two roots and their ratio
    Contract(gw.Adadelta, {"weight_decay": 0.01}),
    Contract(gw.KATE, {}, THROWN, ulps=16),
    Contract(gw.KATE, {"eta": 0.0, "weight_decay": 0.01}, THROWN, ulps=16),
)

PARITY = (
    Parity("adagrad", gw.Adagrad, adagrad, {"lr": 0.05}),
    Parity(
        "adagrad, all",
        gw.Adagrad,
        adagrad,
        {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.2, "weight_decay": 0.1, "eps": 1e-3},
    ),
    Parity("rmsprop", gw.RMSprop, rmsprop, {"lr": 0.02}),
    Parity("rmsprop, momentum", gw.RMSprop, rmsprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.8, "weight_decay": 0.1}),
    Parity("rmsprop, centred", gw.RMSprop, rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-2, "centered": True}),
    Parity("adadelta", gw.Adadelta, adadelta),
    Parity("adadelta, decay", gw.Adadelta, adadelta, {"lr": 0.5, "rho": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
    Parity("kate", gw.KATE, kate, {"lr": 0.02}),
    Parity("kate, no eta", gw.KATE, kate, {"lr": 0.02, "eta": 0.0, "eps": 1e-3, "weight_decay": 0.1}),
)

WORKED = (
    scalar("Adagrad", gw.Adagrad, 0.990000000010, 0.998944271916, 0.990926434661, lr=0.01),
    scalar(
        "Adagrad, all",
        gw.Adagrad,
        *(0.994654775163, 0.997013741733, 0.991030097482),
        lr=0.01,
        lr_decay=0.1,
        initial_accumulator_value=0.1,
        weight_decay=0.1,
    ),
    scalar("RMSprop", gw.RMSprop, 0.900000100000, 0.989532356127, 0.909181928247, lr=0.01),
    scalar("RMSprop, centred", gw.RMSprop, 0.899496319484, 0.989120231006, 0.908654263338, lr=0.01, centered=True),
    scalar("RMSprop, momentum", gw.RMSprop, 0.900000100000, 0.899532446127, 0.818761129761, lr=0.01, momentum=0.9),
    scalar(
        "RMSprop, all",
        gw.RMSprop,
        *(0.899496268979, 0.857474036888, 0.732911061514),
        lr=0.01,
        centered=True,
        momentum=0.9,
        weight_decay=0.1,
    ),
    scalar("Adadelta", gw.Adadelta, 0.996839302294, 1.000878491061, 0.996010886723, lr=1.0),
    scalar("Adadelta, decay", gw.Adadelta, 0.998419058775, 0.999462741525, 0.997309289137, lr=0.5, weight_decay=0.1),
    scalar("KATE", gw.KATE, -0.004488418055, 0.538834410768, 0.195384772943),
    scalar("KATE, no eta", gw.KATE, 0.000001499998, 0.536657534344, 0.201736737344, eta=0.0),
    scalar("KATE, penalty", gw.KATE, 0.491079762635, 0.777465386612, 0.502166929224, weight_decay=0.1),
)

PUBLISHED = {
    gw.Adagrad: {"lr": 1e-2, "lr_decay": 0.0, "weight_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10},
    gw.RMSprop: {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "centered": False},
    gw.Adadelta: {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0},
    gw.KATE: {"lr": 1e-3, "eta": 0.9, "eps": 1e-8, "weight_decay": 0.0},
}

GOLDEN = {
    "Adagrad": variant(gw.Adagrad, 0.1),
    "Adagrad, all": variant(gw.Adagrad, 0.1, lr_decay=0.1, initial_accumulator_value=0.1, weight_decay=0.1),
    "RMSprop": variant(gw.RMSprop),
    "RMSprop, momentum": variant(gw.RMSprop, 0.01, momentum=0.9, weight_decay=0.1),
    "RMSprop, centred": variant(gw.RMSprop, centered=True),
    "Adadelta": variant(gw.Adadelta, None),
    "KATE": variant(gw.KATE),
    "KATE, penalty": variant(gw.KATE, eta=0.5, weight_decay=0.1),
}

PARTS = (
    case((parts.Sum(1.0), parts.Bare()), 6.0, 6 / math.sqrt(10), {"sum": 10.0}, grad=3.0, state={"sum": 1.0}),
    case((parts.Centered(0.5), parts.Bare()), 6.0, 6 / math.sqrt(4.5 - 2.25), {"v": 4.5, "q": 1.5}, grad=3.0),
    case(
        (parts.Centered(0.5), parts.AddEps(2.0)), 6.0, 3.0, {"v": 4.0, "q": 3.0}, grad=2.0, state={"v": 4.0, "q": 4.0}
    ),
    case(parts.InverseTime(0.5), 6.0, 6.0),
    case(parts.InverseTime(0.5), 6.0, 3.0, step=3.0),
    case(parts.RestoreUnits(0.5, 4.0), 3.0, 6.0, {"d": 18.0}),
    case(parts.RestoreUnits(0.5, 4.0), 3.0, 9.0, {"d": 43.0}, state={"d": 5.0}),
    # b = 4 and m = 2 + 1: √3 · 3 / 4
    case(parts.DivideBySums(0.5, 0.0), 3.0, math.sqrt(3) * 0.75, {"b": 4.0, "m": 3.0}, grad=2.0),
    case(parts.DivideBySums(0.0, 0.0), 0.0, 0.0, {"b": 0.0, "m": 0.0}),
)

STAGES = {2: {"InverseTime"}}

DEFAULTS = ((parts.DivideBySums(), parts.DivideBySums(0.9, 1e-8)),)
