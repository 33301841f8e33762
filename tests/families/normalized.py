"""Steps of a given length."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import G, S, matrix, scalar
from tests.reference.normalized import nsgda

CONTRACT = (
    Contract(gw.NSGDA),
    Contract(gw.NSGDA, {"weight_decay": 0.01}),
    Contract(
        gw.NSGDA,
        {"over": "all"},
        {
            "traits_are_declared": "the trait totals is true of this form alone",
            "latecomers_start_at_one": "who joins shares one norm with all others",
        },
    ),
)

PARITY = (
    Parity("nsgda", gw.NSGDA, nsgda, {"lr": 0.05}),
    Parity("nsgda, decay", gw.NSGDA, nsgda, {"lr": 0.05, "momentum": 0.7, "weight_decay": 0.1, "eps": 0.3}),
)

WORKED = (
    matrix(
        "nSGDA, layer-wise",
        gw.NSGDA,
        {
            1: [[0.9817425817, 2.0365148365], [2.9452277452, 3.9269703270]],
            3: [[0.9989930857, 2.0105880399], [2.8032065997, 3.8406157260]],
        },
        steps=G,
        lr=0.1,
    ),
    matrix(
        "nSGDA, decay",
        gw.NSGDA,
        {3: [[0.9882024374, 1.9951568743], [2.8004522698, 3.8220268522]]},
        steps=G,
        lr=0.1,
        weight_decay=0.01,
    ),
    scalar("nSGDA of a number", gw.NSGDA, 0.9, 1.0, 0.9, steps=S, tolerance=1e-7),
)

PUBLISHED = {gw.NSGDA: {"momentum": 0.9, "eps": 1e-8, "over": "tensor"}}

GOLDEN = {
    "NSGDA": variant(gw.NSGDA, None),
    "NSGDA, decay": variant(gw.NSGDA, weight_decay=0.1, momentum=0.5),
    "NSGDA, all": variant(gw.NSGDA, over="all"),
}

PARTS = (
    case(parts.Normalize(0.0), [3.0, 4.0], [0.6, 0.8]),
    case(parts.Normalize(5.0), [3.0, 4.0], [0.3, 0.4]),
    case(parts.Normalize(0.0), [0.0, 0.0], [0.0, 0.0]),
    case(parts.NormalizeGradient(0.0), [3.0, 4.0], [0.6, 0.8]),
    # rows of length 1 and 7, of 5 √2 together, become 5 and 5
    case(parts.EqualizeRows(), [[1.0, 0.0], [0.0, 7.0]], [[5.0, 0.0], [0.0, 5.0]]),
    case(parts.EqualizeRows(1.0), [[1.0, 0.0], [0.0, 7.0]], [[1.0, 0.0], [0.0, 5.0]]),
    case(parts.EqualizeRows(), [[0.0], [0.0]], [[0.0], [0.0]]),
    case(parts.EqualizeRows(), [1.0, 7.0], [1.0, 7.0]),
    case(parts.EqualizeRows(), [[[1.0], [7.0]], [[3.0], [3.0]]], [[[5.0], [5.0]], [[3.0], [3.0]]], role="stack"),
)

STAGES = {0: {"NormalizeGradient"}}

DEFAULTS = (
    (parts.Normalize(), parts.Normalize(1e-8, "tensor")),
    (parts.NormalizeGradient(), parts.NormalizeGradient(1e-8, "tensor")),
    (parts.EqualizeRows(), parts.EqualizeRows(1e-6)),
)
