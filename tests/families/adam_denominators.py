"""Adam with other denominators."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import SHRINKING, scalar
from tests.reference.adam_denominators import adam_atan2, adamax, amsgrad, eadam, sadam, softplus

LOUD = {"lr": 0.03, "betas": (0.8, 0.6)}
"""A second moment that forgets quickly, so that its maximum binds."""

CONTRACT = (
    Contract(gw.AMSGrad),
    Contract(gw.AMSGrad, {"form": "corrected"}),
    Contract(gw.AMSGrad, {"form": "paper", "weight_decay": 0.01}),
    Contract(gw.Adamax),
    Contract(gw.EAdam),
    Contract(gw.EAdam, {"form": "averaged", "amsgrad": True, "weight_decay": 0.01}),
    Contract(gw.SAdam, ulps=8),
    Contract(gw.SAdam, {"amsgrad": True}, ulps=8),
    Contract(gw.SAdam, {"form": "ranger21", "eps": 1e-8, "weight_decay": 0.01}, ulps=8),
    Contract(gw.AdamAtan2),
    Contract(gw.AdamAtan2, {"a": 1.27, "betas": (0.9, 0.99), "weight_decay": 0.0}),
)

PARITY = (
    Parity("amsgrad, raw", gw.AMSGrad, amsgrad, {**LOUD, "weight_decay": 0.1}),
    Parity("amsgrad, corrected", gw.AMSGrad, amsgrad, {**LOUD, "form": "corrected"}),
    Parity("amsgrad, paper", gw.AMSGrad, amsgrad, {**LOUD, "form": "paper", "eps": 0.0, "weight_decay": 0.1}),
    Parity("adamax", gw.Adamax, adamax, {"lr": 0.03, "weight_decay": 0.1, "betas": (0.9, 0.8)}),
    Parity("eadam", gw.EAdam, eadam, {"lr": 0.03, "eps": 1e-4}),
    Parity("eadam, averaged", gw.EAdam, eadam, {"lr": 0.03, "eps": 0.1, "form": "averaged", "weight_decay": 0.1}),
    Parity("eadam, amsgrad", gw.EAdam, eadam, {**LOUD, "eps": 1e-2, "amsgrad": True}),
    Parity("sadam", gw.SAdam, sadam, {"weight_decay": 0.1}),
    Parity("samsgrad", gw.SAdam, sadam, {"smooth": 5.0, "betas": (0.8, 0.6), "amsgrad": True}),
    Parity("sadam, ranger21", gw.SAdam, sadam, {"smooth": 5.0, "eps": 1e-3, "form": "ranger21"}),
    Parity("adam-atan2", gw.AdamAtan2, adam_atan2, {"lr": 0.03}),
    Parity(
        "adam-atan2, bent", gw.AdamAtan2, adam_atan2, {"lr": 0.03, "a": 32 / math.pi, "b": 8.0, "weight_decay": 0.1}
    ),
)

FREE = {"weight_decay": 0}

WORKED = (
    scalar("AMSGrad, raw", gw.AMSGrad, 0.9000000010, 0.8259189378, 0.7752674550, steps=SHRINKING),
    scalar(
        "AMSGrad, corrected",
        gw.AMSGrad,
        *(0.9000000010, 0.8473684226, 0.8178481277),
        steps=SHRINKING,
        form="corrected",
    ),
    scalar(
        "AMSGrad, paper",
        gw.AMSGrad,
        *(0.6837722340, 0.3689579590, 0.1182211943),
        steps=SHRINKING,
        form="paper",
        eps=0,
    ),
    scalar(
        "AMSGrad, raw, b2=.5",
        gw.AMSGrad,
        *(0.9, 0.8355397454, 0.7964880660),
        steps=SHRINKING,
        betas=(0.9, 0.5),
    ),
    scalar(
        "AMSGrad, corrected, b2=.5",
        gw.AMSGrad,
        *(0.9000000010, 0.8473684226, 0.8178481277),
        steps=SHRINKING,
        form="corrected",
        betas=(0.9, 0.5),
    ),
    scalar(
        "AMSGrad, paper, b2=.5",
        gw.AMSGrad,
        *(0.9858578644, 0.9717157288, 0.9604020203),
        steps=SHRINKING,
        form="paper",
        eps=0,
        betas=(0.9, 0.5),
    ),
    scalar("EAdam", gw.EAdam, 0.9000499625, 0.9366529976, 0.9023325644),
    scalar("EAdam, eps 1e-4", gw.EAdam, 0.9698488655, 0.9862234785, 0.9668582977, eps=1e-4),
    scalar("SAdam", gw.SAdam, 0.9796067836, 0.9942235976, 0.9745509786),
    scalar("SAMSGrad", gw.SAdam, 0.9796067836, 0.9942235976, 0.9745509786, amsgrad=True),
    scalar("SAdam, Ranger21", gw.SAdam, 0.9001341367, 0.9367427827, 0.9024187408, form="ranger21", eps=1e-8),
    scalar("Adam-atan2", gw.AdamAtan2, 0.9214601837, 0.9565550139, 0.9234909272, **FREE),
    scalar(
        "Adam-atan2, 1.27",
        gw.AdamAtan2,
        *(0.9002544332, 0.9447693327, 0.9028784012),
        a=1.27,
        betas=(0.9, 0.99),
        **FREE,
    ),
    scalar("Adam-atan2, L=8", gw.AdamAtan2, 0.8733330427, 0.9199142921, 0.8762382676, a=32 / math.pi, b=8, **FREE),
    scalar("Adam-atan2, zero gradients", gw.AdamAtan2, 1.0, 1.0, 1.0, steps=[0, 0, 0], **FREE),
)

PUBLISHED = {
    gw.AMSGrad: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    gw.Adamax: {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    gw.EAdam: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "form": "stored"},
    gw.SAdam: {"lr": 0.1, "betas": (0.9, 0.999), "smooth": 50.0, "weight_decay": 0.0, "form": "authors"},
    gw.AdamAtan2: {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 1e-2, "a": 1.0, "b": 1.0},
}

GOLDEN = {
    "AMSGrad": variant(gw.AMSGrad, betas=(0.9, 0.8)),
    "AMSGrad, corrected": variant(gw.AMSGrad, betas=(0.9, 0.8), form="corrected"),
    "AMSGrad, paper": variant(gw.AMSGrad, betas=(0.9, 0.8), form="paper"),
    "Adamax": variant(gw.Adamax, None),
    "EAdam": variant(gw.EAdam, None),
    "EAdam, averaged": variant(gw.EAdam, form="averaged", eps=1e-3, amsgrad=True),
    "SAdam": variant(gw.SAdam, None),
    "SAdam, amsgrad": variant(gw.SAdam, amsgrad=True, betas=(0.9, 0.8)),
    "SAdam, ranger21": variant(gw.SAdam, form="ranger21"),
    "AdamAtan2": variant(gw.AdamAtan2, None),
    "AdamAtan2, bent": variant(gw.AdamAtan2, a=1.27, betas=(0.9, 0.99), weight_decay=0.0),
}

HALF = parts.Full(0.5)  # of a gradient of 3: v = 4.5, corrected 9

PARTS = (
    case((HALF, parts.EpsHat(1.0)), 6.0, 6 * math.sqrt(0.5) / (math.sqrt(4.5) + 1), {"v": 4.5}, grad=3.0),
    case((HALF, parts.EpsHat(0.0)), 6.0, 2.0, grad=3.0),
    case((HALF, parts.EpsInside(16.0, 1.0)), 6.0, 1.0, grad=3.0),
    case((HALF, parts.Floor(6.0)), 6.0, 1.0, grad=3.0),
    case((HALF, parts.Floor(2.0)), 6.0, 2.0, grad=3.0),
    case((HALF, parts.Softplus(50.0)), 1.0, math.sqrt(0.5) / softplus(math.sqrt(4.5), 50.0), grad=3.0),
    case((HALF, parts.Softplus(2.0, corrected=True)), 1.0, 1 / softplus(3.0, 2.0), grad=3.0),
    case((HALF, parts.Softplus(2.0, eps=1.0)), 0.0, 0.0, {"v": 0.0}),
    case((parts.Full(0.0), parts.Softplus()), softplus(0.01, 50.0), 1.0, grad=0.01),
    case((HALF, parts.Atan2(2.0, 0.5)), 1.5, math.pi / 2, grad=3.0),
    case((HALF, parts.Atan2()), -3.0, -math.pi / 4, grad=3.0),
    case((HALF, parts.Atan2()), 0.0, 0.0),
    case((parts.Full(0.0), parts.KeepZero(parts.Bare())), [6.0, 0.0], [2.0, 0.0], grad=[3.0, 0.0]),
    case((parts.FullPlusEps(0.5, 3.5), parts.Bare()), 4.0, 1.0, {"v": 8.0}, grad=3.0),
    case((parts.FullPlusEps(0.5, 7.0, averaged=True), parts.Bare()), 4.0, 1.0, {"v": 8.0}, grad=3.0),
    case((parts.InfinityNorm(0.5, 1.0), parts.Bare()), 8.0, 2.0, {"r": 4.0}, grad=-3.0, state={"r": 6.0}),
    case((parts.InfinityNorm(0.5, 1.0), parts.Bare()), 8.0, 1.0, {"r": 8.0}, grad=-3.0, state={"r": 16.0}),
    case((parts.Uncorrected(HALF), parts.AddEps(0.0)), 4.5, 4.5 / math.sqrt(4.5), {"v": 4.5}, grad=3.0),
    case(
        (parts.MaxOverTime(HALF, corrected=True), parts.Bare()),
        *(6.0, 2.0, {"v": 4.5, "v_max": 9.0}),
        grad=3.0,
        state={"v_max": 8.0},
    ),
)

DEFAULTS = (
    (parts.Atan2(), parts.Atan2(1.0, 1.0)),
    (parts.EpsHat(), parts.EpsHat(1e-8)),
    (parts.EpsInside(), parts.EpsInside(1e-8, 0.0)),
    (parts.Floor(), parts.Floor(1e-6)),
    (parts.FullPlusEps(0.9), parts.FullPlusEps(0.9, 1e-8, False)),
    (parts.InfinityNorm(0.9), parts.InfinityNorm(0.9, 1e-8)),
    (parts.MaxOverTime(HALF), parts.MaxOverTime(HALF, False)),
    (parts.Softplus(), parts.Softplus(50.0, False, 0.0)),
)
