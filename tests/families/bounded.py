"""StableAdamW, AdaBound, Padam; Grams and Ano."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from gradwright.core import chain
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import scalar, vector
from tests.reference import bounded as reference

CONTRACT = (
    Contract(gw.StableAdamW),
    Contract(gw.AdaBound),
    Contract(gw.AdaBound, {"amsgrad": True, "gamma": 0.5, "weight_decay": 0.01}),
    Contract(gw.Padam, ulps=8),  # a power of a quotient
    Contract(gw.Padam, {"amsgrad": False, "partial": 0.125, "weight_decay": 0.01}),
    Contract(gw.Grams),
    Contract(gw.Grams, {"weight_decay": 0.01}),
    Contract(gw.Ano),
    Contract(gw.Ano, {"weight_decay": 0.01}),
)

PARITY = (
    Parity("stableadamw", gw.StableAdamW, reference.stable_adamw, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("stableadamw, eps", gw.StableAdamW, reference.stable_adamw, {"lr": 0.03, "betas": (0.8, 0.9), "eps": 0.5}),
    Parity("adabound", gw.AdaBound, reference.adabound, {"lr": 0.01}),
    Parity(
        "adabound, all",
        gw.AdaBound,
        reference.adabound,
        {"lr": 0.01, "final_ratio": 5.0, "gamma": 0.3, "weight_decay": 0.1, "amsgrad": True},
    ),
    Parity("padam", gw.Padam, reference.padam, {"lr": 0.03}),
    Parity(
        "padam, all", gw.Padam, reference.padam, {"lr": 0.03, "partial": 0.125, "weight_decay": 0.1, "amsgrad": False}
    ),
    Parity("grams", gw.Grams, reference.grams, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("ano", gw.Ano, reference.ano, {"lr": 0.03, "weight_decay": 0.1}),
)

WORKED = (
    scalar("StableAdamW", gw.StableAdamW, 0.890000999990, 0.911901510743, 0.880593099999, weight_decay=0.1),
    vector(
        "StableAdamW, two entries",
        gw.StableAdamW,
        {
            1: [0.900000200000, -2.099999000010],
            2: [0.881406140240, -2.193489156989],
            3: [0.857932615044, -2.175690237829],
        },
        lr=0.1,
        weight_decay=0.0,
    ),
    scalar(
        "StableAdamW, a spike",
        gw.StableAdamW,
        *(0.900000100000, 0.800000200000, 0.756789875271),
        steps=[1, 1, 10],
        weight_decay=0.0,
    ),
    scalar("AdaBound", gw.AdaBound, 0.900000316227, 0.936610617150, 0.902286538137, final_ratio=1.0),
    scalar(
        "AdaBound, bounds bite", gw.AdaBound, 0.997000000000, 0.999200000000, 0.995850000000, final_ratio=1.0, gamma=0.5
    ),
    scalar(
        "AdaBound, decay",
        gw.AdaBound,
        *(0.970000000000, 0.962300000000, 0.923505833333),
        final_ratio=5.0,
        gamma=0.5,
        weight_decay=0.1,
    ),
    scalar("Padam", gw.Padam, 0.994376595639, 0.997454990958, 0.993721762638),
    scalar("Padam, 1/8", gw.Padam, 0.997757294103, 0.997109932627, 0.994364200003, partial=0.125, weight_decay=0.1),
    scalar("Padam, Adam", gw.Padam, 0.900000316227, 0.936610617150, 0.902286538137, partial=0.5),
    scalar("Grams", gw.Grams, 0.900031612780, 0.936636788212, 0.902315581476),
    scalar("Grams, decay", gw.Grams, 0.890031612780, 0.917736472084, 0.874237900627, weight_decay=0.1),
    scalar("Ano", gw.Ano, 0.900000050000, 1.026300871241, 0.887825097732),
    vector(
        "Ano, decay",
        gw.Ano,
        {
            1: [0.890000002000, -2.079999950000],
            2: [0.808253132770, -2.185500771741],
            3: [0.770792251141, -2.013000278746],
        },
        lr=0.1,
        weight_decay=0.1,
    ),
)

PUBLISHED = {
    gw.StableAdamW: {"betas": (0.9, 0.99), "eps": 1e-6, "weight_decay": 1e-2},
    gw.AdaBound: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "gamma": 1e-3, "final_ratio": 0.1 / 1e-3},
    gw.Padam: {"lr": 0.1, "partial": 0.25, "amsgrad": True},
    gw.Grams: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.0},
    gw.Ano: {"lr": 1e-4, "betas": (0.92, 0.99), "eps": 1e-8, "weight_decay": 0.0},
}

GOLDEN = {
    "StableAdamW": variant(gw.StableAdamW),
    "AdaBound": variant(gw.AdaBound, None),
    "AdaBound, bounds bite": variant(gw.AdaBound, gamma=0.5, final_ratio=2.0, weight_decay=0.1, amsgrad=True),
    "Padam": variant(gw.Padam, None),
    "Grams": variant(gw.Grams, weight_decay=0.1),
    "Ano": variant(gw.Ano, weight_decay=0.1),
}

PARTS = (
    case(parts.FaceGradient(), [3.0, -2.0, 1.0], [-3.0, 2.0, 0.0], grad=[-1.0, 4.0, 0.0]),
    case(parts.FaceMomentum(), [3.0, -2.0, 0.0], [1.0, -4.0, 0.0], grad=[-1.0, 4.0, 7.0]),
    case((parts.SignedSquare(0.5), parts.Bare()), 6.0, 2.0, {"v": 4.5}, grad=3.0),
    case((parts.SignedSquare(0.5), parts.AddEps(2.0)), 6.0, 2.0, {"v": 0.5}, grad=1.0, state={"v": 2.0}),
    case((parts.Full(0.5), parts.Power(0.25, 0.0)), 6.0, 6 * math.sqrt(0.5) / 4.5**0.25, {"v": 4.5}, grad=3.0),
    case(parts.BoundedRate(parts.Full(0.5), 0.5, 0.0, 4.0, 0.5), 3.0, 3.0 * 4 / 3, {"v": 4.5}, grad=3.0),
    case(parts.BoundedRate(parts.Full(0.5), 0.5, 0.0, 0.1, 0.5), 3.0, 3.0 * 0.3, {"v": 4.5}, grad=3.0),
    case(
        chain(parts.Precondition(parts.Full(0.5), parts.Bare()), parts.SurpriseClip(0.0)),
        3.0,
        3.0 / math.sqrt(6) / math.sqrt(9 / 6),
        grad=3.0,
        state={"precondition.v": 0.0},
        step=2.0,
    ),
    case(
        chain(parts.Precondition(parts.Full(0.5), parts.Bare()), parts.SurpriseClip(3.0)),
        3.0,
        1.0,
        grad=3.0,
    ),
)

STAGES = {2: {"SurpriseClip"}}
