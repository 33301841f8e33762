"""Worked numbers: what the authors' code, or where there is none independent code, makes of one small problem."""

import numpy as np
import pytest

import gradwright as gw
from gradwright.sharpness import asam, friendly_sam, gsam, looksam, sam, wsam
from tests.sharpness.problem import Quadratic

SGD = {"lr": 0.1, "rho": 0.1}
FAST = {"lr": 0.1, "momentum": 0.9, "rho": 0.1}
T1 = (0.881383251593, -1.690206789849, 0.334263221395)

CASES = {
    "sam": (
        sam(gw.SGD),
        SGD,
        {
            1: T1,
            2: (0.774929502804, -1.435809303776, 0.208981564320),
            3: (0.680657803210, -1.225685095608, 0.115928058174),
        },
    ),
    "sam with momentum": (sam(gw.SGD), FAST, {3: (0.392135355110, -0.517430398246, -0.243177452868)}),
    "sam around adamw": (
        sam(gw.AdamW),
        {"lr": 0.1, "weight_decay": 0.01, "rho": 0.1},
        {
            1: (0.899000000843, -1.898000000323, 0.399500000603),
            2: (0.799587265231, -1.796227590224, 0.299801149956),
            3: (0.703553383641, -1.694774092454, 0.201578886300),
        },
    ),
    "asam": (
        asam(gw.SGD),
        SGD,
        {
            1: (0.897222114294, -1.667922256193, 0.334600480375),
            2: (0.795997619188, -1.404036643103, 0.209647308187),
            3: (0.701979548662, -1.191963012242, 0.116953239800),
        },
    ),
    "gsam": (
        gsam(gw.SGD),
        {**SGD, "gsam_alpha": 0.4},
        {1: (0.882279834704, -1.690409493140, 0.333242652044), 3: (0.682492910316, -1.226624414186, 0.112741087614)},
    ),
    "wsam": (
        wsam(gw.SGD),
        FAST,
        {2: (0.600928060648, -0.963702566954, -0.079246587808), 3: (0.273084469072, -0.313145241625, -0.373204562087)},
    ),
    "coupled wsam": (
        wsam(gw.SGD),
        {**FAST, "decoupled": False},
        {2: (0.571632398551, -0.843877564727, -0.166214494505), 3: (0.153102499646, -0.017332288879, -0.586169828645)},
    ),
    "looksam": (
        looksam(gw.SGD),
        {**SGD, "looksam_k": 2, "looksam_alpha": 0.7},
        {
            1: T1,
            2: (0.908854455719, -1.478088928050, 0.070274816733),
            3: (0.781729064443, -1.279338267742, -0.009562118571),
            4: (0.682080766044, -1.170746324563, -0.179325958512),
        },
    ),
    "friendly sam": (
        friendly_sam(gw.SGD),
        SGD,
        {
            1: T1,
            2: (0.779802480236, -1.466038534482, 0.231335021953),
            3: (0.692593392078, -1.279125504214, 0.155732372575),
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_worked_numbers(name):
    recipe, knobs, expected = CASES[name]
    run = Quadratic(recipe, **knobs)
    for step in range(1, max(expected) + 1):
        found = run.step()
        if step in expected:
            np.testing.assert_allclose(found, expected[step], atol=2e-12)
