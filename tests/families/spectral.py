"""AdamW²."""

from __future__ import annotations

import math

import numpy as np

import gradwright as gw
from gradwright import transforms as parts
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import M2, W0, matrix
from tests.reference.spectral import adamw2

CONTRACT = (
    Contract(gw.AdamW2),
    Contract(gw.AdamW2, {"tau": 0.1, "iterations": 1, "weight_decay": 0.0}),
)

# No (4, 3), which the tests of symmetry take: the iteration begins with a mixture that depends on the order of rows,
# and a few rounds do not forget it.
SHAPES = ((), (5,), (6, 4), (3, 5), (2, 3, 4), (4, 3, 2, 2))

PARITY = (
    Parity("adamw2", gw.AdamW2, adamw2, {"lr": 0.03, "weight_decay": 0.1}, shapes=SHAPES),
    Parity("adamw2, never bound", gw.AdamW2, adamw2, {"lr": 0.003, "tau": 1.0, "betas": (0.8, 0.9)}, shapes=SHAPES),
    Parity("adamw2, floor", gw.AdamW2, adamw2, {"lr": 0.3, "floor": 5.0, "iterations": 1, "eps": 1e-3}, shapes=SHAPES),
)

SMALL = [M2[0], np.array(M2[0]) / 2]

WORKED = (
    Worked(
        "AdamW² where the cap binds",
        gw.AdamW2,
        {"lr": 0.01, "weight_decay": 0.0},
        np.array(W0) * 0.02,
        SMALL,
        {
            1: [[0.01922713, 0.04077287], [0.05922713, 0.07922713]],
            2: [[0.01846067, 0.04153933], [0.05846067, 0.07846067]],
        },
    ),
    matrix(
        "AdamW² where it does not",
        gw.AdamW2,
        {1: [[0.99, 2.01], [2.99, 3.99]]},
        steps=SMALL[:1],
        lr=0.01,
        tau=0.004,
        weight_decay=0.0,
    ),
)

PUBLISHED = {gw.AdamW2: {"betas": (0.9, 0.999), "eps": 1e-8}}

GOLDEN = {
    "AdamW2": variant(gw.AdamW2),
    "AdamW2, one iteration": variant(gw.AdamW2, iterations=1, tau=0.1, weight_decay=0.1),
}

PARTS = (
    # σ₁ = 5 of the weights and 2 of the update: 0.1 · 5 / 2
    case(
        parts.SpectralStep(1.0, 0.1, weight_decay=2.0),
        [[0.0, 2.0], [1.0, 0.0]],
        [[2.5, 0.5], [0.25, 0.0]],
        {"weight_vector": [1.0, 0.0]},
        param=[[5.0, 0.0], [0.0, 0.0]],
    ),
    case(parts.SpectralStep(0.2, 0.1), [[0.0, 2.0]], [[0.0, 0.4]], param=[[5.0, 0.0]]),
    case(parts.SpectralStep(1.0, 0.1, floor=3.0), [[0.0, 2.0]], [[0.0, 0.3 * math.sqrt(2)]]),
    case(parts.SpectralStep(0.5), [[0.0, 0.0]], [[0.0, 0.0]], param=[[5.0, 0.0]]),
    case(parts.SpectralStep(0.5, weight_decay=2.0), [1.0, 2.0], [3.5, 4.0], param=3.0),
)

STAGES = {2: {"SpectralStep"}}

DEFAULTS = (
    (parts.SpectralStep(0.1), parts.SpectralStep(0.1, 1e-2, 1e-3, 0.0, 3, "!vector & !scalar & !bias & !gain")),
)
