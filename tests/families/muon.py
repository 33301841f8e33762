"""Muon: orthogonalised momentum, its kin, and what stays on a sphere."""

from __future__ import annotations

import math

import gradwright as gw
import gradwright.transforms as parts
from tests import reference
from tests.families.kinds import GOLDEN_MATRICES, MATRICES, Contract, Parity, case, variant
from tests.families.worked import M2, matrix
from tests.reference.muon import POLYNOMIALS, adamh, adamuon, muonh, normuon, response

ON_A_SPHERE = {"lr_sizes_the_step": "the step is a turn, whose chord is not quite proportional to its angle"}
NO_FIT = {"descends_on_a_network": "on the spheres where its matrices begin the loss is at least 3.07, begun at 5.92"}
EVEN_ROWS = ((4, 5), (6, 3), (2, 4, 3), (4, 3, 2, 2))

CONTRACT = (
    Contract(gw.Muon),
    Contract(gw.Muon, {"adjust_lr": "match_rms_adamw", "lr": 1e-3, "weight_decay": 0.1}),
    Contract(gw.Muon, {"coefficients": "you", "nesterov": False}),
    Contract(gw.Muon, {"coefficients": "you_4", "norm": "schatten", "adjust_lr": "spectral", "lazy": True}),
    Contract(gw.Muon, {"coefficients": "polar_express", "adjust_lr": "unit_rms_norm"}),
    Contract(gw.NorMuon),
    Contract(gw.NorMuon, {"form": "paper", "lr": 1e-3, "weight_decay": 0.1, "nesterov": False}),
    Contract(gw.AdaMuon),
    Contract(gw.AdaMuon, {"stabilize": False, "nesterov": True, "betas": (0.95, 0.999)}),
    Contract(gw.MuonH, {}, ON_A_SPHERE | NO_FIT),
    Contract(gw.AdamH, {}, ON_A_SPHERE),
)


def _set(name: str) -> Parity:
    return Parity(f"muon, {name}", gw.Muon, reference.muon, {"coefficients": name}, shapes=MATRICES)


PARITY = (
    Parity("muon", gw.Muon, reference.muon, {"weight_decay": 0.1}, shapes=MATRICES),
    Parity("muon, no nesterov", gw.Muon, reference.muon, {"nesterov": False, "momentum": 0.8}, shapes=MATRICES),
    Parity(
        "muon, you",
        gw.Muon,
        reference.muon,
        {"coefficients": "you", "adjust_lr": "match_rms_adamw"},
        shapes=MATRICES,
    ),
    *(_set(name) for name in POLYNOMIALS if name not in ("keller", "you", "you_4")),
    Parity(
        "muon, schatten",
        gw.Muon,
        reference.muon,
        {"coefficients": "you_4", "norm": "schatten", "adjust_lr": "unit_rms_norm"},
        shapes=MATRICES,
    ),
    Parity("muon, halves", gw.Muon, reference.muon, {"split": 2, "adjust_lr": "spectral"}, shapes=EVEN_ROWS),
    Parity("muon, heads", gw.Muon, reference.muon, {"split": (1, 3)}, shapes=((4, 5), (4, 2, 2, 2))),
    Parity("normuon", gw.NorMuon, normuon, {"weight_decay": 0.1, "betas": (0.9, 0.8)}, shapes=MATRICES),
    Parity("normuon, paper", gw.NorMuon, normuon, {"form": "paper", "eps": 1e-3}, shapes=MATRICES),
    Parity("normuon, halves", gw.NorMuon, normuon, {"split": 2, "nesterov": False}, shapes=EVEN_ROWS),
    Parity("normuon, paper, heads", gw.NorMuon, normuon, {"split": (1, 3), "form": "paper"}, shapes=((4, 5),)),
    Parity("adamuon", gw.AdaMuon, adamuon, {"lr": 0.02}, shapes=MATRICES),
    Parity(
        "adamuon, first code",
        gw.AdaMuon,
        adamuon,
        {"stabilize": False, "nesterov": True, "split": 2, "eps": 1e-3},
        shapes=EVEN_ROWS,
    ),
    Parity("muonh", gw.MuonH, muonh, {"lr": 0.1}, shapes=MATRICES),
    Parity("muonh, halves", gw.MuonH, muonh, {"momentum": 0.8, "split": 2}, shapes=EVEN_ROWS),
    Parity("adamh", gw.AdamH, adamh, {"lr": 0.1, "eps": 1e-3}, shapes=MATRICES),
)

# Printed from an iteration that adds 1e-7 to the norm; ours adds nothing, which shows from the seventh digit on.
WORKED = (
    matrix(
        "NorMuon",
        gw.NorMuon,
        {
            1: [[0.98208286, 2.00527589], [2.99138503, 3.98342769]],
            2: [[0.99917488, 1.99935176], [2.98692831, 3.97153053]],
        },
        steps=M2,
        tolerance=2e-7,
    ),
    matrix(
        "MuonH",
        gw.MuonH,
        {
            1: [[0.96344395, 2.04417037], [3.00463383, 3.98312927]],
            2: [[1.04463947, 2.03852567], [3.01063816, 3.9609594]],
        },
        steps=M2,
        tolerance=3e-7,
    ),
)

PUBLISHED = {
    gw.NorMuon: {"lr": 2e-2, "betas": (0.95, 0.95), "eps": 1e-10, "weight_decay": 0.0, "form": "code"},
    gw.AdaMuon: {"eps": 1e-8, "stabilize": True, "weight_decay": 0.1},
    gw.MuonH: {"lr": 1.8e-2, "momentum": 0.95, "nesterov": True, "coefficients": "keller"},
    gw.AdamH: {"lr": 1.8e-2, "eps": 1e-8},
}

GOLDEN = {
    "Muon": variant(gw.Muon, None, GOLDEN_MATRICES),
    "Muon, no nesterov": variant(gw.Muon, shapes=GOLDEN_MATRICES, nesterov=False, weight_decay=0.1),
    "Muon, you": variant(gw.Muon, shapes=GOLDEN_MATRICES, coefficients="you", adjust_lr="match_rms_adamw"),
    "Muon, schatten": variant(gw.Muon, shapes=GOLDEN_MATRICES, coefficients="you_4", norm="schatten"),
    "NorMuon": variant(gw.NorMuon, None, GOLDEN_MATRICES),
    "NorMuon, paper": variant(gw.NorMuon, shapes=GOLDEN_MATRICES, form="paper", weight_decay=0.1),
    "AdaMuon": variant(gw.AdaMuon, shapes=GOLDEN_MATRICES),
    "AdaMuon, first code": variant(gw.AdaMuon, shapes=GOLDEN_MATRICES, stabilize=False, nesterov=True),
    "MuonH": variant(gw.MuonH, None, GOLDEN_MATRICES),
    "AdamH": variant(gw.AdamH, None, GOLDEN_MATRICES),
}

# diag(3, 4) has the Frobenius norm 5 and the Schatten-4 norm 337^¼
_SCHATTEN = 337**0.25
# both rows have the norm 5
_TILTED = [[3.0, 4.0], [5.0, 0.0]]

PARTS = (
    case(
        parts.Orthogonalize("you_4", "schatten"),
        [[3.0, 0.0], [0.0, 4.0]],
        [[response(3 / _SCHATTEN, "you_4"), 0.0], [0.0, response(4 / _SCHATTEN, "you_4")]],
    ),
    case(parts.Orthogonalize(split=2), [[5.0], [-7.0]], [[response(1.0, "keller")], [-response(1.0, "keller")]]),
    case(parts.Orthogonalize(((1.5, -0.5, 0.0),)), [[2.0]], [[1.0]]),
    case(parts.ShapeScale("spectral"), [[1.0]] * 4, [[2.0]] * 4),
    case(parts.ShapeScale("unit_rms_norm"), [[1.0] * 4], [[0.5] * 4]),
    case(parts.ShapeScale(split=2), [[1.0]] * 8, [[2.0]] * 8),
    case(parts.ShapeScale(split=(1, 4)), [[1.0]] * 5, [[1.0], *[[2.0]] * 4]),
    case(parts.Rescale(0.5), [[3.0, 4.0]], [[0.3 * math.sqrt(2), 0.4 * math.sqrt(2)]]),
    case(parts.Rescale(10.0, "polar"), [[3.0, 4.0]], [[6.0, 8.0]]),
    case(parts.Rescale(), [[0.0, 0.0]], [[0.0, 0.0]]),
    case(parts.Rescale(5.0, "polar", split=2), [[3.0, 4.0], [0.0, 10.0]], [[3.0, 4.0], [0.0, 5.0]]),
    case(parts.NeuronNorm(0.0, 0.0), _TILTED, _TILTED, {"v": [[12.5], [12.5]]}),
    case(parts.NeuronNorm(0.5), [[0.0, 0.0]], [[0.0, 0.0]], {"v": [[0.0]]}),
    # rows of length 1 and 7 become equally long, and the whole is as long as before
    case(parts.NeuronNorm(0.5, 0.0), [[1.0, 0.0], [0.0, -7.0]], [[5.0, 0.0], [0.0, -5.0]], {"v": [[0.25], [12.25]]}),
    case(parts.NeuronNorm(0.5, 0.0, split=2), [[1.0, 0.0], [0.0, -7.0]], [[1.0, 0.0], [0.0, -7.0]]),
    # R = 5: from (3, 4) by 5 · ¾ at a right angle; the sphere is met on the way back to the centre
    case(parts.Hyperball(0.75), [[8.0, -6.0]], [[3.0, -1.0]], {"radius": 5.0}, param=[[3.0, 4.0]]),
    case(parts.Hyperball(0.75), [[0.0, 0.0]], [[0.0, 0.0]], {"radius": 5.0}, param=[[3.0, 4.0]]),
    case(parts.Hyperball(1.0, 0.1), [[0.0, 0.0, 3.0, 4.0]], [[0.0, 0.0, 0.12, 0.16]], {"radius": 0.2}),
    case(parts.Hyperball(3.0), [[1.0, 0.0]], [[10.0, 0.0]], param=[[5.0, 0.0]], state={"radius": 5.0}, step=2.0),
    case(parts.Lazy(), [[1.0, 2.0]], [[1.0, 2.0]], grad=[[0.0, 1e-30]]),
    case(parts.Lazy(), [[1.0, 2.0]], [[0.0, 0.0]], grad=[[0.0, 0.0]]),
    case(parts.Lazy(only="embedding"), [[1.0, 2.0]], [[1.0, 2.0]], grad=[[0.0, 0.0]]),
    case(parts.Lazy(), [[[1.0]], [[2.0]]], [[[0.0]], [[2.0]]], grad=[[[0.0]], [[1.0]]], role="stack"),
    case(parts.Lazy("row"), [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [3.0, 4.0]], grad=[[0.0, 0.0], [0.0, 1.0]]),
    case(parts.Lazy("row"), [1.0, 2.0], [1.0, 2.0], grad=[0.0, 1.0]),
)

STAGES = {2: {"Lazy"}, 3: {"Hyperball"}}

DEFAULTS = (
    (parts.Orthogonalize(), parts.Orthogonalize("keller", "frobenius", 1)),
    (parts.ShapeScale(), parts.ShapeScale("original", 1)),
    (parts.Rescale(), parts.Rescale(0.2, "rms", 1)),
    (parts.NeuronNorm(), parts.NeuronNorm(0.95, 1e-10, 1)),
    (parts.Hyperball(1.0), parts.Hyperball(1.0, 1e-3)),
    (parts.Lazy(), parts.Lazy("matrix", "*")),
)
