"""Methods that find their own step size. Their sums run over all tensors, so the references see one tensor at a time.

Several tensors together are compared in ``tests/parity/test_learning_rate_free.py``.
"""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from gradwright.transforms.step.adaptation import UNLIMITED
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.reference import learning_rate_free as reference

D4 = [0.5, 0.4, 0.3, 0.3]
V3 = [(0.5, -0.2), (-0.3, 0.4), (0.2, 0.1)]
ONE = ((4, 3),)

CONTRACT = (
    Contract(gw.Prodigy),
    Contract(gw.Prodigy, {"use_bias_correction": True, "safeguard_warmup": True, "weight_decay": 0.01}),
    Contract(
        gw.Prodigy,
        {"slice_p": 3, "growth_rate": 2.0, "decoupled_weight_decay": False, "weight_decay": 0.01},
        {"scale_free": "a penalty in the gradient has a scale of its own, and is not the default"},
    ),
    Contract(gw.DAdaptAdam),
    Contract(gw.DAdaptAdam, {"decoupled_weight_decay": True, "use_bias_correction": True, "weight_decay": 0.01}),
    Contract(gw.DAdaptSGD),
    Contract(gw.DoG, {"reps_rel": 1e-4}),
    Contract(gw.DoG, {"reps_rel": 1e-2, "weight_decay": 0.01, "gamma": 2.0}),
    Contract(gw.LDoG, {"reps_rel": 1e-4}),
    Contract(gw.DoWG),
)


def _one(name, recipe, method, **knobs):
    return Parity(name, recipe, method, knobs, shapes=ONE)


PARITY = (
    _one("prodigy", gw.Prodigy, reference.prodigy, d0=1e-3),
    _one("prodigy, small d0", gw.Prodigy, reference.prodigy),
    _one("prodigy, decay", gw.Prodigy, reference.prodigy, d0=1e-2, weight_decay=0.1, use_bias_correction=True),
    _one(
        "prodigy, penalty",
        gw.Prodigy,
        reference.prodigy,
        d0=1e-3,
        weight_decay=0.1,
        decoupled_weight_decay=False,
        betas=(0.8, 0.95),
    ),
    _one(
        "prodigy, every knob",
        gw.Prodigy,
        reference.prodigy,
        d0=1e-3,
        beta3=0.9,
        d_coef=0.7,
        growth_rate=1.1,
        safeguard_warmup=True,
    ),
    _one("prodigy, sliced", gw.Prodigy, reference.prodigy, d0=1e-4, slice_p=5, lr=0.1),
    _one("d-adapt adam", gw.DAdaptAdam, reference.dadapt_adam, d0=1e-4, lr=0.3),
    _one(
        "d-adapt adam, decay",
        gw.DAdaptAdam,
        reference.dadapt_adam,
        d0=1e-4,
        weight_decay=0.1,
        decoupled_weight_decay=True,
        use_bias_correction=True,
        growth_rate=1.05,
    ),
    _one("d-adapt adam, penalty", gw.DAdaptAdam, reference.dadapt_adam, d0=1e-3, weight_decay=0.1, lr=0.3),
    _one("d-adapt sgd", gw.DAdaptSGD, reference.dadapt_sgd, d0=1e-3),
    _one(
        "d-adapt sgd, all knobs",
        gw.DAdaptSGD,
        reference.dadapt_sgd,
        d0=1e-3,
        momentum=0.0,
        weight_decay=0.1,
        growth_rate=1.2,
    ),
    _one("dog", gw.DoG, reference.dog),
    _one("dog, decay", gw.DoG, reference.dog, reps_rel=1e-2, weight_decay=0.1, eps=1e-2),
    Parity("ldog", gw.LDoG, reference.dog, {"reps_rel": 1e-3}),
    _one("dowg", gw.DoWG, reference.dowg),
    _one("dowg, decay", gw.DoWG, reference.dowg, d0=0.1, weight_decay=0.1),
)


def _worked(name, recipe, start, steps, after, state=None, tolerance=1e-7, **knobs):
    return Worked(name, recipe, knobs, start, steps, dict(enumerate(after, 1)), state or {}, tolerance=tolerance)


WORKED = (
    _worked(
        "Prodigy",
        gw.Prodigy,
        1.0,
        D4,
        [0.96837724, 0.92638596, 0.85753679, 0.66550953],
        {"prodigy_d": 0.11534387},
        d0=0.01,
    ),
    _worked(
        "Prodigy, bias-corrected",
        gw.Prodigy,
        1.0,
        D4,
        [0.99000001, 0.98011875, 0.97049099, 0.96096026],
        {"prodigy_d": 0.01025927},
        d0=0.01,
        use_bias_correction=True,
    ),
    _worked("Prodigy, d0=1e-6", gw.Prodigy, 1.0, D4, [0.99999684, 0.99999264, 0.99998575, 0.99996655]),
    _worked(
        "DAdaptAdam",
        gw.DAdaptAdam,
        1.0,
        D4,
        [0.96837724, 0.92638595, 0.70341296, 0.03512878],
        {"dadapt_adam_d": 1.71340874},
        d0=0.01,
    ),
    _worked(
        "DAdaptSGD",
        gw.DAdaptSGD,
        1.0,
        D4,
        [0.999, 0.9973, 0.99517, 0.992313],
        {"dadapt_sgd_d": 0.02476647},
        d0=0.01,
        momentum=0.9,
    ),
    _worked(
        "DoG",
        gw.DoG,
        (1.0, 1.0),
        V3,
        [(0.97758459, 1.00896616), (0.98744058, 0.99582485), (0.9811545, 0.99268181)],
        reps_rel=0.01,
    ),
    _worked(
        "DoWG",
        gw.DoWG,
        (1.0, 1.0),
        V3,
        [(0.9908845, 1.0036462), (0.99491218, 0.99827597), (0.99234186, 0.99699081)],
    ),
)

PUBLISHED = {
    gw.Prodigy: {
        "lr": 1.0,
        "betas": (0.9, 0.999),
        "beta3": None,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "decoupled_weight_decay": True,
        "use_bias_correction": False,
        "safeguard_warmup": False,
        "d0": 1e-6,
        "d_coef": 1.0,
        "growth_rate": None,
        "slice_p": 1,
    },
    gw.DAdaptAdam: {
        "lr": 1.0,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "decoupled_weight_decay": False,
        "use_bias_correction": False,
        "d0": 1e-6,
        "growth_rate": None,
    },
    gw.DAdaptSGD: {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0, "d0": 1e-6, "growth_rate": None},
    gw.DoG: {"lr": 1.0, "reps_rel": 1e-6, "weight_decay": 0.0, "eps": 1e-8, "gamma": 8.0},
    gw.LDoG: {"lr": 1.0, "reps_rel": 1e-6, "weight_decay": 0.0, "eps": 1e-8, "gamma": 8.0},
    gw.DoWG: {"lr": 1.0, "d0": 1e-2, "eps": 1e-4},
}

GOLDEN = {
    "Prodigy": variant(gw.Prodigy, None, d0=1e-3),
    "Prodigy, decay": variant(gw.Prodigy, None, d0=1e-3, weight_decay=0.1, use_bias_correction=True),
    "Prodigy, sliced": variant(gw.Prodigy, None, d0=1e-3, slice_p=2, safeguard_warmup=True, growth_rate=1.2),
    "DAdaptAdam": variant(gw.DAdaptAdam, None, d0=1e-4),
    "DAdaptAdam, decay": variant(gw.DAdaptAdam, 0.3, d0=1e-3, weight_decay=0.1, decoupled_weight_decay=True),
    "DAdaptSGD": variant(gw.DAdaptSGD, None, d0=1e-2),
    "DoG": variant(gw.DoG, None, reps_rel=1e-2),
    "LDoG": variant(gw.LDoG, None, reps_rel=1e-2, weight_decay=0.1),
    "DoWG": variant(gw.DoWG, None),
}

STEP = parts.DistanceStep(1.0, 0.5, 0.75)

PARTS = (
    # d = 1: λ = 1; r = ½ · 2 + 1 · (3 − 1) · 4, s = ½ · 4 + 4, so d̂ = 9 / 6
    case(
        parts.Prodigy(STEP, 0.5, eps=1.0, d0=1.0),
        4.0,
        4.0 / (4.0 + 1.5),
        {"m": 4.0, "v": 16.0, "s": 6.0, "x0": 3.0, "prodigy_r": 9.0, "prodigy_d": 1.5, "prodigy_d_used": 1.0},
        param=1.0,
        state={"m": 4, "v": 16, "s": 4, "x0": 3, "prodigy_r": 2, "prodigy_d": 1},
        step=2.0,
    ),
    # q = √¾; with r = s = 0 before there is nothing to learn, and d stays
    case(
        parts.DAdaptAdam(STEP, eps=0.0, d0=1.0),
        2.0,
        1.0,
        {"m": 1.0, "v": 1.0, "dadapt_adam_r": 0.0, "dadapt_adam_d": 1.0, "dadapt_adam_d_used": 1.0},
    ),
    # s = 3 + 4 λ with λ = 2 / 4, r = 1 + ½ · 4 · 3 = 7, d̂ = 14 / 5; z = 7 − 5, from x = 4 halfway to 2
    case(
        parts.DAdaptSGD(1.0, 0.5, d0=1.0),
        4.0,
        1.0,
        {"s": 5.0, "dadapt_sgd_r": 7.0, "dadapt_sgd_d": 2.8, "dadapt_sgd_norm": 4.0},
        param=4.0,
        state={"s": 3, "x0": 7, "dadapt_sgd_r": 1, "dadapt_sgd_d": 2, "dadapt_sgd_norm": 4},
        step=2.0,
    ),
    case(
        parts.DistancePull(parts.Decay(0.5), STEP, "prodigy"),
        3.0,
        3.0 + 0.5 * 2.0 * 8.0,
        param=8.0,
        state={"prodigy_d_used": 2.0},
    ),
    # the first distance is ½ (1 + 3), the way gone 1; G = 7 + 9
    case(
        parts.DistanceOverGradients(1.0, 0.5, 0.0),
        3.0,
        2.0 / 4.0 * 3.0,
        {"dog_distance": 2.0, "dog_gradients": 16.0},
        param=4.0,
        state={"x0": 3, "dog_gradients": 7.0},
        step=2.0,
    ),
    case(
        parts.DistanceOverGradients(1.0, 0.5, 0.0, layerwise=True),
        3.0,
        5.0 / 4.0 * 3.0,
        {"distance": 5.0, "gradients": 16.0},
        param=8.0,
        state={"x0": 3, "gradients": 7.0},
        step=2.0,
    ),
    # r² = 4, V = 13 + 4 · 9 = 49
    case(
        parts.WeightedDistance(1.0, 0.5, 1.0),
        3.0,
        4.0 / 8.0 * 3.0,
        {"dowg_distance2": 4.0, "dowg_gradients": 49.0},
        param=5.0,
        state={"x0": 3, "dowg_gradients": 13.0},
        step=2.0,
    ),
)

STAGES = {
    2: {"DistancePull", "DistanceOverGradients", "WeightedDistance"},
    3: {"DAdaptSGD"},
}

DEFAULTS = (
    (parts.DistanceStep(), parts.DistanceStep(1.0, 0.9, 0.999, False)),
    (parts.Prodigy(STEP, 0.9), parts.Prodigy(STEP, 0.9, 1e-8, 1e-6, 1.0, UNLIMITED, False, 1)),
    (parts.DAdaptAdam(STEP), parts.DAdaptAdam(STEP, 1e-8, 1e-6, UNLIMITED)),
    (parts.DAdaptSGD(), parts.DAdaptSGD(1.0, 0.9, 1e-6, UNLIMITED)),
    (parts.DistanceOverGradients(), parts.DistanceOverGradients(1.0, 1e-6, 1e-8, False)),
    (parts.WeightedDistance(), parts.WeightedDistance(1.0, 1e-2, 1e-4)),
)
