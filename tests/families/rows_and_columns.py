"""SinkGD and RACS."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import GOLDEN_MATRICES, MATRICES, Contract, Parity, case, variant
from tests.families.worked import M2, R0, RG, Worked, matrix
from tests.reference.rows_and_columns import racs, sinkgd

CONTRACT = (
    Contract(gw.SinkGD, ulps=256),
    Contract(gw.SinkGD, {"iterations": 1, "weight_decay": 0.01}),
    Contract(gw.RACS),
    Contract(gw.RACS, {"growth": 2.0, "alpha": 0.2, "weight_decay": 0.01}),
)

PARITY = (
    Parity("sinkgd", gw.SinkGD, sinkgd, {"lr": 0.03, "weight_decay": 0.1}, shapes=MATRICES),
    Parity("sinkgd, once", gw.SinkGD, sinkgd, {"lr": 0.03, "iterations": 1}, shapes=MATRICES),
    Parity("racs", gw.RACS, racs, {"lr": 0.3, "weight_decay": 0.1}, shapes=MATRICES),
    Parity("racs, growing", gw.RACS, racs, {"lr": 0.3, "growth": 3.0, "eps": 1e-3, "alpha": 0.3}, shapes=MATRICES),
)

WORKED = (
    Worked(
        "SinkGD",
        gw.SinkGD,
        {"lr": 0.01},
        R0,
        RG,
        {3: [[0.487569650532, -1.017473697692, 1.997500391043], [1.498951341006, 0.228685653539, -0.754713307042]]},
    ),
    matrix(
        "SinkGD of a square",
        gw.SinkGD,
        {
            1: [[0.869251713062, 2.053009960700], [2.946103010633, 3.868889573006]],
            2: [[1.006182921236, 2.009570121610], [2.910749874590, 3.734305099980]],
            3: [[0.901736327651, 1.914223862674], [3.006096133502, 3.629858506417]],
        },
        steps=[*M2, [[0.15, 0.25], [-0.1, 0.2]]],
        lr=0.1,
    ),
    Worked(
        "RACS",
        gw.RACS,
        {"lr": 0.1},
        R0,
        RG,
        {3: [[0.484845446626, -1.013773089218, 1.994732287475], [1.488951050752, 0.215642793540, -0.747849560367]]},
        tolerance=1e-7,
    ),
)

PUBLISHED = {gw.SinkGD: {"iterations": 5}, gw.RACS: {"beta": 0.9, "eps": 1e-8, "alpha": 0.05, "growth": 1.01}}

GOLDEN = {
    "SinkGD": variant(gw.SinkGD, shapes=GOLDEN_MATRICES),
    "SinkGD, decay": variant(gw.SinkGD, shapes=GOLDEN_MATRICES, iterations=2, weight_decay=0.1),
    "RACS": variant(gw.RACS, shapes=GOLDEN_MATRICES),
}

PARTS = (
    # rows of the length √2, then columns
    case(parts.Sinkhorn(1), [[3.0, 0.0], [0.0, -4.0]], [[math.sqrt(2), 0.0], [0.0, -math.sqrt(2)]]),
    case(
        parts.Sinkhorn(),
        [[1.399288414363, -0.387012425526, 0.952089185690], [0.0, 0.0, 0.0]],
        [[math.sqrt(2), -math.sqrt(2), math.sqrt(2)], [0.0, 0.0, 0.0]],
    ),
    case(
        parts.RowColumnScale(0.5, 0.0),
        [[2.0, 0.0]],
        [[2 / math.sqrt(2.5), 0.0]],
        {"row": [[1.0]], "column": [[2.5, 0.5]]},
    ),
)

DEFAULTS = (
    (parts.Sinkhorn(), parts.Sinkhorn(5)),
    (parts.RowColumnScale(), parts.RowColumnScale(0.9, 1e-8)),
)
