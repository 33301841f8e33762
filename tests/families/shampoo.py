"""Shampoo and SPlus."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests.families.kinds import Contract, Parity, case, variant
from tests.families.worked import M2, matrix
from tests.reference.shampoo import shampoo, splus

# Where a side is longer than the rest of the tensor by more than one, eigenvectors of the null space are arbitrary.
FULL_RANK = ((), (5,), (4, 3), (2, 3, 4), (4, 3, 2, 2))
SQUARE = ((), (5,), (4, 3), (3, 3))
EVERY = {"precondition_frequency": 1}

CONTRACT = (
    Contract(gw.Shampoo),
    Contract(gw.Shampoo, {"graft": "sgd", "accumulate": True, **EVERY}),
    Contract(gw.Shampoo, {"graft": "adagrad", "max_precond_dim": 3, "weight_decay": 0.01}),
    Contract(gw.Shampoo, {"graft": "none", "form": "eigenvalue", **EVERY}),
    Contract(gw.SPlus),
    Contract(gw.SPlus, {"inverse_every": 2, "max_dim": 3}),
)

PARITY = (
    Parity("shampoo", gw.Shampoo, shampoo, {"lr": 0.03, "weight_decay": 0.1, "eps": 1e-3}, shapes=FULL_RANK),
    Parity(
        "shampoo, sums",
        gw.Shampoo,
        shampoo,
        {"lr": 0.03, "graft": "sgd", "accumulate": True, "eps": 1e-3, **EVERY},
        shapes=FULL_RANK,
    ),
    Parity(
        "shampoo, one side",
        gw.Shampoo,
        shampoo,
        {"lr": 0.03, "graft": "adagrad", "eps": 1e-4, "max_precond_dim": 3},
        shapes=FULL_RANK,
    ),
    Parity(
        "shampoo, eigenvalues",
        gw.Shampoo,
        shampoo,
        {"lr": 0.03, "graft": "none", "form": "eigenvalue", "graft_eps": 0.1, "precondition_frequency": 3},
        shapes=((), (5,), (3, 3)),
    ),
    Parity("splus", gw.SPlus, splus, {"inverse_every": 3, "weight_decay": 0.1}, shapes=SQUARE),
    Parity("splus, axes", gw.SPlus, splus, {"max_dim": 2, "lr": 0.5}, shapes=FULL_RANK),
)

M3 = [*M2, [[0.15, 0.25], [-0.1, 0.2]]]

WORKED = (
    matrix(
        "Shampoo of 2018",
        gw.Shampoo,
        {
            1: [[0.908130348449, 2.039367163319], [2.960613430969, 3.908110942736]],
            2: [[0.960345438847, 2.017213436483], [2.950847252843, 3.852528569717]],
            3: [[0.928951301473, 1.974554639671], [2.974646868871, 3.820338244184]],
        },
        steps=M3,
        lr=0.1,
        betas=(0.0, 0.999),
        accumulate=True,
        graft="none",
        eps=1e-4,
        **EVERY,
    ),
    matrix(
        "Shampoo, sums and momentum",
        gw.Shampoo,
        {
            2: [[0.899977630802, 2.042020251999], [2.938825455987, 3.843149171507]],
            3: [[0.884263563566, 2.028496152394], [2.935080546934, 3.794775431869]],
        },
        steps=M3,
        lr=0.1,
        accumulate=True,
        graft="none",
        **EVERY,
    ),
    matrix(
        "Shampoo, grafted on Adam",
        gw.Shampoo,
        {
            1: [[0.987001327005, 2.005570859855], [2.994429140145, 3.987001327005]],
            3: [[0.981916424534, 2.002998701983], [2.989490205553, 3.963842857710]],
        },
        steps=M3,
        lr=0.01,
        **EVERY,
    ),
    matrix(
        "Shampoo, corrected eigenvalues",
        gw.Shampoo,
        {
            1: [[0.990808549978, 2.003939192820], [2.996060807117, 3.990808549898]],
            2: [[0.995616963967, 2.019368550937], [2.991828592297, 3.977430094661]],
            3: [[0.994003457179, 2.018180986238], [2.992739887257, 3.967416162871]],
        },
        steps=M3,
        lr=0.01,
        graft="none",
        form="eigenvalue",
        **EVERY,
    ),
    matrix(
        "SPlus",
        gw.SPlus,
        {
            1: [[0.949525000000, 2.048975000000], [2.948525000000, 3.948025000000]],
            2: [[0.938453626015, 2.102974290836], [2.962702281943, 3.864779053235]],
            3: [[0.882529856610, 2.058107338887], [3.005036395606, 3.807392121117]],
        },
        steps=M3,
        state={
            "averaged_side_decay.average": [[0.923942453390, 2.071057445435], [2.973593537405, 3.875289469884]],
        },
        inverse_every=2,
    ),
)

PUBLISHED = {
    gw.Shampoo: {"eps": 1e-12, "weight_decay": 0.0, "max_precond_dim": 1024},
    gw.SPlus: {
        "lr": 0.1,
        "betas": (0.9, 0.999),
        "weight_decay": 1e-2,
        "ema_rate": 0.999,
        "inverse_every": 100,
        "max_dim": 10000,
    },
}

GOLDEN = {
    "Shampoo": variant(gw.Shampoo),
    "Shampoo, sums": variant(gw.Shampoo, accumulate=True, graft="sgd", **EVERY),
    "Shampoo, eigenvalues": variant(gw.Shampoo, form="eigenvalue", graft="none"),
    "SPlus": variant(gw.SPlus, inverse_every=3),
}

QUARTER = 16**-0.25

PARTS = (
    # L = diag(4, 64), R = diag(64, 4): 2 · 64^−¼ 4^−¼
    case(
        parts.KroneckerRoot(0.5, 0.0),
        [[0.0, 2.0], [8.0, 0.0]],
        [[0.0, 1.0], [1.0, 0.0]],
        {"gram0": [[2.0, 0.0], [0.0, 32.0]], "gram1": [[32.0, 0.0], [0.0, 2.0]]},
    ),
    case(
        parts.KroneckerRoot(1.0, 12.0),
        [[0.0, 2.0], [2.0, 0.0]],
        [[0.0, 2 * QUARTER**2], [2 * QUARTER**2, 0.0]],
        {"gram0": [[4.0, 0.0], [0.0, 4.0]], "root0": [[QUARTER, 0.0], [0.0, QUARTER]]},
    ),
    case(parts.KroneckerRoot(), [3.0, -4.0], [3.0, -4.0]),
    case(
        parts.KroneckerEigen(0.5, 1e-13),
        [[0.0, 2.0], [8.0, 0.0]],
        [[0.0, 1.0], [1.0, 0.0]],
        {"gram0": [[2.0, 0.0], [0.0, 32.0]]},
    ),
    case(parts.KroneckerEigen(0.5, 0.0), [3.0, -4.0], [1.0, -1.0], {"v": [4.5, 8.0]}),
    case(
        parts.EigenbasisSign(0.5),
        [[0.0, 2.0], [-8.0, 0.0]],
        [[0.0, 1.0], [-1.0, 0.0]],
        {"gram0": [[2.0, 0.0], [0.0, 32.0]]},
    ),
    case(parts.EigenbasisSign(0.5), [3.0, 0.0], [1.0, 0.0]),
    case(parts.Graft(parts.Sign(), parts.Scale(2.0)), [3.0, -4.0], [math.sqrt(50), -math.sqrt(50)]),
    case(parts.Graft(parts.Scale(0.0), parts.Scale(2.0)), [3.0, -4.0], [0.0, 0.0]),
    case(parts.SideScale(0.5), [[1.0, 2.0, 3.0]], [[0.25, 0.5, 0.75]]),
    case(parts.SideScale(0.5, 2), [[1.0, 2.0, 3.0]], [[0.0005, 0.001, 0.0015]]),
    case(parts.SideScale(0.5), [2.0], [0.001]),
    case(
        parts.AveragedSideDecay(0.5, 0.5),
        [[1.0]],
        [[3.0]],
        {"average": [[10 / 3]]},
        param=[[5.0]],
        state={"average": [[2.0]]},
        step=2.0,
    ),
)

STAGES = {2: {"SideScale"}, 3: {"AveragedSideDecay"}}

DEFAULTS = (
    (parts.KroneckerRoot(), parts.KroneckerRoot(0.999, 1e-12, 1, 1024)),
    (parts.KroneckerEigen(), parts.KroneckerEigen(0.999, 1e-8, 1, 1024)),
    (parts.EigenbasisSign(), parts.EigenbasisSign(0.999, 100, 10000)),
    (parts.SideScale(1.0), parts.SideScale(1.0, 10000)),
    (parts.AveragedSideDecay(0.1), parts.AveragedSideDecay(0.1, 0.999, 10000)),
)
