"""Schedule-free averaging."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import M2, S3
from tests.reference import schedule_free as reference

S7 = [0.5, -0.3, 0.2, 0.4, 0.1, 0.3, -0.2]
V3_LOUD = [(50.0, -20.0), (-30.0, 40.0), (20.0, 10.0)]
FLAT = ((4, 3), (3, 5), (4, 3, 2, 2))
PLUS = {"f_star": 0.3, "polyak_beta": 0.5, "c_warmup": 4, "r": 1.0, "weight_decay": 5.0}
ANNEAL = {"sf_beta1": 0.8, "sf_beta1_max": 0.95, "sf_beta1_anneal_steps": 20}

CONTRACT = (
    Contract(gw.ScheduleFreeAdamW),
    Contract(gw.ScheduleFreeAdamW, {"warmup_steps": 3.0, "r": 1.0, "weight_decay": 0.01}),
    Contract(gw.ScheduleFreeSGD),
    Contract(gw.ScheduleFreeSGD, {"momentum": 0.8, "warmup_steps": 3.0, "weight_decay": 0.01}),
    Contract(
        gw.ScheduleFreeRAdam,
        {"betas": (0.9, 0.99)},
        {"empty_tensors": "the first four steps are silent, and the check takes three"},
    ),
    Contract(gw.ScheduleFreeRAdam, {"silent_sgd_phase": False, "weight_decay": 0.01}),
    Contract(gw.ScheduleFreePlus),
    Contract(gw.ScheduleFreePlus, {**PLUS, **ANNEAL, "c_warmup": 2.0, "weight_decay": 0.01, "f_star": 0.01, "lr": 0.3}),
    Contract(gw.ScheduleFreeNorMuon),
    Contract(gw.ScheduleFreeNorMuon, {"warmup_steps": 3.0, "weight_decay": 0.01}),
)

PARITY = (
    Parity("schedule-free", gw.ScheduleFreeAdamW, reference.schedule_free_adamw, {"lr": 0.03}),
    Parity(
        "schedule-free, all knobs",
        gw.ScheduleFreeAdamW,
        reference.schedule_free_adamw,
        {"lr": 0.03, "weight_decay": 0.1, "warmup_steps": 10, "r": 0.75, "weight_lr_power": 1.5},
    ),
    Parity("schedule-free sgd", gw.ScheduleFreeSGD, reference.schedule_free_sgd, {"lr": 0.03}),
    Parity(
        "schedule-free sgd, all knobs",
        gw.ScheduleFreeSGD,
        reference.schedule_free_sgd,
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.1, "warmup_steps": 10, "r": 0.75, "weight_lr_power": 1.5},
    ),
    Parity("schedule-free radam", gw.ScheduleFreeRAdam, reference.schedule_free_radam, {"lr": 0.03}),
    Parity(
        "schedule-free radam, loud",
        gw.ScheduleFreeRAdam,
        reference.schedule_free_radam,
        {"lr": 0.03, "betas": (0.8, 0.99), "weight_decay": 0.1, "r": 0.5, "silent_sgd_phase": False},
    ),
    Parity(
        "schedule-free plus",
        gw.ScheduleFreePlus,
        reference.schedule_free_plus,
        shapes=((4, 3),),
        needs_loss=True,
    ),
    Parity(
        "schedule-free plus, all knobs",
        gw.ScheduleFreePlus,
        reference.schedule_free_plus,
        {**PLUS, **ANNEAL},
        shapes=((4, 3),),
        needs_loss=True,
    ),
    Parity(
        "schedule-free normuon",
        gw.ScheduleFreeNorMuon,
        reference.schedule_free_normuon,
        {"weight_decay": 0.1, "warmup_steps": 5},
        shapes=FLAT,
    ),
)

WORKED = (
    Worked(
        "Schedule-free RAdam",
        gw.ScheduleFreeRAdam,
        {"lr": 0.1},
        1.0,
        S7,
        {4: 1.0, 5: 0.99947784, 6: 0.99776736, 7: 0.99862407},
        tolerance=1e-7,
    ),
    Worked(
        "Schedule-free SGD",
        gw.ScheduleFreeSGD,
        {"warmup_steps": 2.0},
        1.0,
        S3,
        {1: 0.75, 2: 0.996, 3: 0.92},
        tolerance=1e-7,
    ),
    Worked(
        "ScheduleFree+",
        gw.ScheduleFreePlus,
        {},
        (1.0, 1.0),
        V3_LOUD,
        {1: (0.9772033, 1.0227967), 2: (0.97502946, 1.01869626), 3: (0.96562762, 1.00683482)},
        {"polyak_size_max": 0.0380558771},
        losses=[2.0, 1.8, 1.5],
        tolerance=1e-7,
    ),
    Worked(
        "SF-NorMuon",
        gw.ScheduleFreeNorMuon,
        {"coefficients": "you"},
        [[1, 2], [3, 4]],
        M2,
        {
            1: [[0.99739981, 2.0011131], [2.99888476, 3.99740072]],
            2: [[0.99590795, 2.0015723], [2.99843035, 3.99591849]],
        },
        tolerance=1e-7,
    ),
)

PUBLISHED = {
    gw.ScheduleFreeSGD: {
        "lr": 1.0,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "warmup_steps": 0.0,
        "r": 0.0,
        "weight_lr_power": 2.0,
    },
    gw.ScheduleFreeRAdam: {
        "lr": 2.5e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "r": 0.0,
        "weight_lr_power": 2.0,
        "silent_sgd_phase": True,
    },
    gw.ScheduleFreePlus: {
        "lr": 1.0,
        "betas": (0.9, 0.95),
        "sf_beta1": 0.9,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "r": 0.0,
        "polyak_beta": 0.0,
        "c_warmup": 0.0,
        "sf_beta1_anneal_steps": 0.0,
        "sf_beta1_max": 0.965,
        "weight_lr_power": 2.0,
        "f_star": 0.0,
    },
}

GOLDEN = {
    "ScheduleFreeAdamW": variant(gw.ScheduleFreeAdamW, None),
    "ScheduleFreeAdamW, warm-up": variant(gw.ScheduleFreeAdamW, warmup_steps=5, r=0.75, weight_decay=0.1),
    "ScheduleFreeSGD": variant(gw.ScheduleFreeSGD, warmup_steps=5, weight_decay=0.1),
    "ScheduleFreeRAdam": variant(gw.ScheduleFreeRAdam, betas=(0.9, 0.99)),
    "ScheduleFreePlus": variant(gw.ScheduleFreePlus, None),
    "ScheduleFreePlus, annealed": variant(gw.ScheduleFreePlus, None, **PLUS, **ANNEAL),
    "ScheduleFreeNorMuon": variant(gw.ScheduleFreeNorMuon, None, shapes=((3, 2), (2, 1, 2, 1)), weight_decay=0.1),
}

ADAPTED = parts.Precondition(parts.Full(0.9), parts.Bare())

PARTS = (
    # the first ρ are 1, 1.97 and so on: four steps are not trusted with β = 0.9
    case(parts.OnceTrusted(ADAPTED, 0.9), 2.0, 2.0, {"of.v": 0.4}, step=1.0),
    case(parts.OnceTrusted(ADAPTED, 0.9), 2.0, 2.0 / (0.4 / (1 - 0.9**9)) ** 0.5, {"of.v": 0.4}, step=9.0),
    # silent at its first step; y made with β = ½ from z = 6 and x = 10, and made again with β = ¾
    case(
        parts.ScheduleFree(0.5, 0.75, rectify=parts.Rectification(0.9)),
        2.0,
        8.0 - (0.75 * 10.0 + 0.25 * 6.0),
        {"z": 6.0, "weight_sum": 0.0, "size_max": 0.0, "share": 0.75},
        param=8.0,
        state={"z": 6.0, "share": 0.5},
    ),
    # decay at z: z goes from 8 to 8 − ½ (2 + ¼ · 8), and y with it
    case(parts.ScheduleFree(0.5, 0.75, decay=0.25), 2.0, 2.0, {"z": 6.0}, param=8.0),
    # x = 10; e = √(π/2) · 4, the gap 3 − 1 + ½ · 4 · (6 − 10) is below zero, so that η = 0 and y is made anew
    case(
        parts.PolyakScheduleFree(beta=0.5, f_star=1.0),
        1.0,
        0.0,
        {"z": 6.0, "polyak_steps": 2.0, "polyak_size_max": 0.0, "polyak_share": 0.5},
        param=8.0,
        grad=4.0,
        loss=3.0,
        state={"z": 6, "polyak_share": 0.5, "polyak_steps": 1},
        step=2.0,
    ),
    # η = 5 / (√(π/2) · 4), c = 1: z, x and y meet
    case(
        parts.PolyakScheduleFree(beta=0.5),
        2.0,
        2.0 * 5.0 / (1.2533141373155003 * 4.0),
        {"z": 8.0 - 2.0 * 5.0 / (1.2533141373155003 * 4.0), "polyak_size_max": 5.0 / (1.2533141373155003 * 4.0)},
        param=8.0,
        grad=4.0,
        loss=5.0,
    ),
)

STAGES = {3: {"PolyakScheduleFree"}}

DEFAULTS = (
    (parts.Rectification(), parts.Rectification(0.999, True)),
    (parts.ScheduleFree(1.0), parts.ScheduleFree(1.0, 0.9, 0.0, 0.0, 2.0, 0.0, None)),
    (
        parts.PolyakScheduleFree(),
        parts.PolyakScheduleFree(1.0, 0.9, 0.965, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0),
    ),
)
