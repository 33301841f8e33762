"""KL-Shampoo and KL-SOAP."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import GOLDEN_MATRICES, Contract, Parity, case, variant
from tests.families.worked import M2, matrix
from tests.reference.kl_shampoo import kl_shampoo, kl_soap

# Where a side is longer than the rest of the tensor by more than one, eigenvectors of the null space are arbitrary.
SQUARE = ((3, 3), (4, 3), (2, 3, 4), (4, 2, 2, 1))
EVERY = {"precondition_frequency": 1}

CONTRACT = (
    Contract(gw.KLShampoo),
    Contract(gw.KLShampoo, EVERY),
    Contract(gw.KLSOAP),
    Contract(gw.KLSOAP, {"shampoo_beta": 0.9, "weight_decay": 0.0, **EVERY}),
)

PARITY = (
    Parity("kl shampoo", gw.KLShampoo, kl_shampoo, {"lr": 0.03, "weight_decay": 0.1}, shapes=SQUARE),
    Parity("kl shampoo, often", gw.KLShampoo, kl_shampoo, {"lr": 0.03, "eps": 1e-3, **EVERY}, shapes=((3, 3),)),
    Parity("kl soap", gw.KLSOAP, kl_soap, {"lr": 0.03, "shampoo_beta": 0.9}, shapes=SQUARE),
    Parity("kl soap, often", gw.KLSOAP, kl_soap, {"lr": 0.03, "weight_decay": 0.1, **EVERY}, shapes=((3, 3),)),
)

M4 = [*M2, [[0.15, 0.25], [-0.1, 0.2]], M2[0]]

WORKED = (
    matrix(
        "KL-Shampoo, every step",
        gw.KLShampoo,
        {
            1: [[1, 2], [3, 4]],
            2: [[1.001999999800, 1.999000000100], [2.999500000050, 3.997000000300]],
            3: [[1.002291043252, 1.995767311058], [3.000024174769, 3.992608538493]],
            4: [[0.999760843025, 1.994008562275], [2.998721119719, 3.985303344036]],
        },
        steps=M4,
        lr=0.01,
        weight_decay=0.0,
        **EVERY,
    ),
    matrix(
        "KL-Shampoo",
        gw.KLShampoo,
        {4: [[0.999792636714, 1.993926410217], [2.998777686588, 3.985223491772]]},
        steps=M4,
        lr=0.01,
        weight_decay=0.0,
    ),
    matrix(
        "KL-SOAP, every step",
        gw.KLSOAP,
        {
            2: [[1.009999994235, 1.999999997019], [2.999999999650, 3.990000003875]],
            3: [[1.011713701364, 1.991122430028], [3.003767749150, 3.980164315356]],
            4: [[1.006204205967, 1.989627890486], [3.001793210040, 3.967954425071]],
        },
        steps=M4,
        lr=0.01,
        weight_decay=0.0,
        **EVERY,
    ),
)

PUBLISHED = {
    gw.KLShampoo: {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 1e-2, "precondition_frequency": 10},
    gw.KLSOAP: {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 1e-2, "precondition_frequency": 10},
}

GOLDEN = {
    "KLShampoo": variant(gw.KLShampoo, shapes=GOLDEN_MATRICES),
    "KLSOAP": variant(gw.KLSOAP, shapes=GOLDEN_MATRICES, **EVERY),
}

AXES = {"basis_left": [[1.0, 0.0], [0.0, 1.0]], "basis_right": [[1.0, 0.0], [0.0, 1.0]]}
VALUES = {"value_left": [1.0, 4.0], "value_right": [1.0, 1.0]}

PARTS = (
    case(
        parts.KullbackLeibler(gram_beta=0.5),
        [[0.0, 2.0], [4.0, 0.0]],
        [[0.0, 0.0], [0.0, 0.0]],
        {"gram_left": [[1.0, 0.0], [0.0, 4.0]], "gram_right": [[4.0, 0.0], [0.0, 1.0]], "m": [[0.0, 0.0], [0.0, 0.0]]},
    ),
    # the second row is divided by √4 and the rest by 1
    case(
        parts.KullbackLeibler(0.5, 0.5, 0.5, 0.0),
        [[0.0, 2.0], [4.0, 0.0]],
        [[0.0, 1.0], [1.0, 0.0]],
        {"value_left": [1.5, 6.0], "value_right": [1.5, 1.5], "gram_left": [[1.0, 0.0], [0.0, 4.0]]},
        state=AXES | VALUES,
        step=2.0,
    ),
    case(
        parts.KullbackLeibler(0.5, 0.5, 0.5, 1e-13, adam=True),
        [[0.0, 2.0], [4.0, 0.0]],
        [[0.0, math.sqrt(0.5)], [math.sqrt(0.5), 0.0]],
        {"v": [[0.0, 2.0], [8.0, 0.0]]},
        state=AXES | VALUES,
        step=2.0,
    ),
)

DEFAULTS = ((parts.KullbackLeibler(), parts.KullbackLeibler(0.9, 0.98, 0.98, 1e-8, 10, False)),)
