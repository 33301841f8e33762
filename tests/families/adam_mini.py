"""Adam-mini."""

from __future__ import annotations

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import GOLDEN_SHAPES, MATRICES, Contract, Parity, case, variant
from tests.families.worked import matrix, vector
from tests.reference.adam_mini import adam_mini

CONTRACT = (
    Contract(gw.AdamMini),
    Contract(gw.AdamMini, {"weight_decay": 0.01}),
    Contract(gw.AdamMini, {"heads": 1, "weight_decay": 0.01}),
)

EVEN_ROWS = ((4, 5), (6, 3), (2, 4, 3), (4, 3, 2, 2))

PARITY = (
    Parity("adam-mini", gw.AdamMini, adam_mini, {"lr": 0.03, "weight_decay": 0.1}),
    Parity("adam-mini, bias", gw.AdamMini, adam_mini, {"lr": 0.03}, {"bias": True}, ((5,),), "bias"),
    Parity("adam-mini, heads", gw.AdamMini, adam_mini, {"lr": 0.03, "heads": 2, "eps": 1e-3}, shapes=EVEN_ROWS),
    Parity("adam-mini, one head", gw.AdamMini, adam_mini, {"lr": 0.03, "heads": 1}, shapes=MATRICES),
)

WORKED = (
    matrix(
        "Adam-mini, rows",
        gw.AdamMini,
        {
            1: [[0.926754450797, 2.106491098407], [2.885147188658, 3.846862918210]],
            2: [[0.954102750564, 2.112055892350], [2.798732370948, 3.797601161686]],
            3: [[0.933845308244, 2.053532944468], [2.743614718429, 3.722970344125]],
        },
        lr=0.1,
        weight_decay=0.1,
    ),
    matrix(
        "Adam-mini, a head of four entries",
        gw.AdamMini,
        {3: [[0.950303569067, 1.999954672862], [2.701002885967, 3.682018301585]]},
        lr=0.1,
        weight_decay=0.1,
        heads=1,
    ),
    vector(
        "Adam-mini, a tensor",
        gw.AdamMini,
        {
            1: [0.861324954790, -2.027735009042],
            2: [0.836039454627, -2.076620309358],
            3: [0.807652743595, -2.059829871769],
        },
        lr=0.1,
    ),
)

PUBLISHED = {gw.AdamMini: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}}

GOLDEN = {
    "AdamMini": variant(gw.AdamMini, weight_decay=0.1),
    "AdamMini, roles": variant(gw.AdamMini, roles=("embedding", "bias", "")),
    "AdamMini, heads": variant(gw.AdamMini, shapes=GOLDEN_SHAPES[2:], roles=("",), heads=2),
}

PARTS = (
    case(
        (parts.PerBlock(0.5, 2), parts.Bare()),
        [[1.0, 7.0], [2.0, 2.0]],
        [[0.2, 1.4], [1.0, 1.0]],
        {"v": [[[12.5]], [[2.0]]]},
    ),
    case((parts.PerBlock(0.5, 1), parts.Bare()), [1.0, 7.0], [0.2, 1.4], {"v": 12.5}),
)
