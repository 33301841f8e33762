"""SOAP."""

from __future__ import annotations

import math

import gradwright as gw
from gradwright import transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import M2, matrix
from tests.reference.eigenbasis import soap

# Where a side is longer than the rest of the tensor by more than one, eigenvectors of the null space are arbitrary.
FULL_RANK = ((), (5,), (4, 3), (2, 3, 4), (4, 3, 2, 2))

CONTRACT = (
    Contract(gw.SOAP),
    Contract(gw.SOAP, {"precondition_frequency": 1, "precondition_1d": True, "shampoo_beta": 0.9}),
    Contract(gw.SOAP, {"max_precond_dim": 3, "weight_decay": 0.0}),
)

PARITY = (
    Parity("soap", gw.SOAP, soap, {"lr": 0.03, "weight_decay": 0.1}, shapes=FULL_RANK),
    Parity("soap, one side", gw.SOAP, soap, {"lr": 0.03, "max_precond_dim": 3}, shapes=FULL_RANK),
)

WORKED = (
    # a counter that counts the first call too would make the first step 1.0101
    matrix(
        "SOAP",
        gw.SOAP,
        {
            1: [[1, 2], [3, 4]],
            2: [[1.01414213, 2.0], [3.0, 3.98585787]],
            3: [[1.01602876, 2.00478775], [2.99999288, 3.9727832]],
        },
        steps=[*M2, M2[0]],
        tolerance=1e-7,
        lr=0.01,
        weight_decay=0.0,
    ),
)

PUBLISHED = {
    gw.SOAP: {
        "lr": 3e-3,
        "betas": (0.95, 0.95),
        "eps": 1e-8,
        "weight_decay": 1e-2,
        "shampoo_beta": None,
        "precondition_frequency": 10,
        "max_precond_dim": 10000,
        "precondition_1d": False,
    },
}

GOLDEN = {
    "SOAP": variant(gw.SOAP),
    "SOAP, every step": variant(gw.SOAP, precondition_frequency=1, shampoo_beta=0.9, precondition_1d=True),
    "SOAP, one side": variant(gw.SOAP, max_precond_dim=2),
}

PARTS = (
    # the first call only measures: half of G Gᵀ and of Gᵀ G
    case(
        parts.EigenbasisAdam(0.9, 0.9, 0.5),
        [[0.0, 2.0], [4.0, 0.0]],
        [[0.0, 0.0], [0.0, 0.0]],
        {"gram0": [[2.0, 0.0], [0.0, 8.0]], "gram1": [[8.0, 0.0], [0.0, 2.0]], "m": [[0.0, 0.0], [0.0, 0.0]]},
    ),
    # in a basis turned by 45 degrees on one side, [3, 1] is [4, 2] / √2 and the step [1, 1] turned back
    case(
        parts.EigenbasisAdam(0.5, 0.5, 0.5, eps=0.0, precondition_1d=True),
        [3.0, 1.0],
        [math.sqrt(2), 0.0],
        {"m": [1.5, 0.5], "v": [4.0, 1.0], "gram0": [[4.5, 1.5], [1.5, 0.5]]},
        state={"basis0": [[math.sqrt(0.5), math.sqrt(0.5)], [math.sqrt(0.5), -math.sqrt(0.5)]]},
        step=2.0,
    ),
    case(parts.EigenbasisAdam(0.5, 0.5, 0.5, eps=0.0), [3.0, -4.0], [1.0, -1.0], step=2.0),
    # ε before the correction: √½ / ½ · 1.5 / (√4.5 + 1)
    case(
        parts.EigenbasisAdam(0.5, 0.5, 0.5, eps=1.0), 3.0, math.sqrt(0.5) / 0.5 * 1.5 / (math.sqrt(4.5) + 1), step=2.0
    ),
)

DEFAULTS = ((parts.EigenbasisAdam(0.9, 0.9, 0.9), parts.EigenbasisAdam(0.9, 0.9, 0.9, 1e-8, 10, 10000, False)),)
