"""Averages of the weights around any recipe."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests import reference
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import S3
from tests.reference.averaged import averaged
from tests.reference.lamb import lars
from tests.reference.normalized import nsgda
from tests.reference.schedule_free import schedule_free
from tests.reference.sign import signum

AROUND = {"base": reference.sgd, "dampening": 0.0, "nesterov": False}

CONTRACT = (
    Contract(gw.averaged(gw.AdamW), {"average_beta": 0.9}),
    Contract(gw.averaged(gw.SGD), {"momentum": 0.9, "average_beta": 0.9, "average_start": "ramp"}),
    Contract(gw.averaged(gw.Lion), {"average_beta": 0.9, "average_start": "power"}),
    Contract(gw.power_averaged(gw.AdamW), {}, {"every_knob_counts": "the second average is kept for after the run"}),
    Contract(gw.power_averaged(gw.SGD), {"sigma_rel": 0.15, "second_sigma_rel": 0.05}),
    Contract(gw.polynomial_averaged(gw.SGD)),
    Contract(gw.polynomial_averaged(gw.DoWG)),
    Contract(gw.schedule_free(gw.SGD)),
    Contract(gw.schedule_free(gw.NSGDA)),
    Contract(gw.schedule_free(gw.SGD), {"warmup_steps": 3.0, "weight_decay": 0.01}),
)

PARITY = (
    Parity("averaged sgd", gw.averaged(gw.SGD), averaged, {"lr": 0.1}, {"base": reference.sgd}),
    Parity("power-averaged adamw", gw.power_averaged(gw.AdamW), averaged, {"lr": 0.1}, {"base": reference.adamw}),
    Parity("polynomial-averaged sgd", gw.polynomial_averaged(gw.SGD), averaged, {"lr": 0.1}, {"base": reference.sgd}),
    Parity("schedule-free around sgd", gw.schedule_free(gw.SGD), schedule_free, {"lr": 0.03}, AROUND),
    Parity(
        "schedule-free around sgd, all knobs",
        gw.schedule_free(gw.SGD),
        schedule_free,
        {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.8, "warmup_steps": 8, "r": 0.75, "weight_lr_power": 1.0},
        AROUND,
    ),
)

WITHOUT = {"base": nsgda, "without": 0.0}
PARITY += (
    Parity("schedule-free around nsgda", gw.schedule_free(gw.NSGDA), schedule_free, {"lr": 0.03}, WITHOUT),
    Parity(
        "schedule-free around nsgda, decay",
        gw.schedule_free(gw.NSGDA),
        schedule_free,
        {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.8, "warmup_steps": 4, "eps": 0.3},
        WITHOUT,
    ),
    Parity(
        "schedule-free around signum",
        gw.schedule_free(gw.Signum),
        schedule_free,
        {"lr": 0.01, "weight_decay": 0.1},
        {"base": signum, "without": 0.0},
    ),
    Parity(
        "schedule-free around lars",
        gw.schedule_free(gw.Lars),
        schedule_free,
        {"lr": 0.3, "weight_decay": 0.1},
        {"base": lars, "without": 0.0, "nesterov": False},
    ),
)

WORKED = (
    # the weights are 1, ½ and ⅖; their averages 1, 0.55 and 0.42727273
    Worked(
        "Polynomial decay",
        gw.polynomial_averaged(gw.SGD),
        {"lr": 1.0},
        2.0,
        [1.0, 0.5, 0.1],
        {3: 0.4},
        {"weight_average.average": 0.42727273},
    ),
    Worked(
        "Schedule-free SGD by the combinator",
        gw.schedule_free(gw.SGD),
        {"lr": 1.0},
        1.0,
        S3,
        {1: 0.5, 2: 0.665, 3: 0.63},
    ),
)

PUBLISHED = {
    gw.averaged(gw.SGD): {"average_beta": 0.999, "average_start": "debias"},
    gw.power_averaged(gw.SGD): {"sigma_rel": 0.1, "second_sigma_rel": None},
    gw.polynomial_averaged(gw.SGD): {"average_gamma": 8.0},
    gw.schedule_free(gw.SGD): {"momentum": 0.9, "warmup_steps": 0.0, "r": 0.0, "weight_lr_power": 2.0},
}

GOLDEN = {
    "AveragedAdamW": variant(gw.averaged(gw.AdamW), average_beta=0.9),
    "PowerAveragedSGD": variant(gw.power_averaged(gw.SGD), momentum=0.9),
    "PolynomialAveragedSGD": variant(gw.polynomial_averaged(gw.SGD)),
    "ScheduleFreeSGD, by the combinator": variant(gw.schedule_free(gw.SGD), warmup_steps=5),
}


def _average(window, after, step=3.0):
    """The weights go to 6; the average stood at 2."""
    return case(parts.WeightAverage(window), 2.0, 2.0, {"average": after}, param=8.0, state={"average": 2.0}, step=step)


PARTS = (
    case(
        parts.WeightTrack(parts.PolynomialDecay(0.0)),
        2.0,
        2.0,
        {"average": 3.0},
        param=8.0,
        state={"average": 0.0},
        step=2.0,
    ),
    _average(parts.Exponential(0.5), 2 + 4 * 0.5 / 0.875),
    _average(parts.Exponential(0.5, "ramp"), 2 + 4 * (1 - 4 / 13)),
    _average(parts.Exponential(0.1, "ramp"), 2 + 4 * 0.9),
    _average(parts.Exponential(0.5, "power"), 2 + 4 * 0.5),
    _average(parts.Exponential(0.9, "power"), 2 + 4 * 3 ** (-2 / 3)),
    _average(parts.Exponential(0.75, "none"), 3.0),
    _average(parts.PowerFunction(1.0), 2 + 4 * (1 - (2 / 3) ** 2)),
    _average(parts.PowerFunction(0.0), 2 + 4 / 3),
    _average(parts.PolynomialDecay(8.0), 2 + 4 * 9 / 11),
    _average(parts.PolynomialDecay(8.0), 6.0, step=1.0),
)

STAGES = {3: {"WeightAverage", "WeightTrack"}}

DEFAULTS = (
    (parts.Exponential(), parts.Exponential(0.999, "debias")),
    (parts.PolynomialDecay(), parts.PolynomialDecay(8.0)),
)
