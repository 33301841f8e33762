"""Recipes and combinators that hold the weights back."""

from __future__ import annotations

import math
from typing import Any

import gradwright as gw
import gradwright.transforms as parts
from gradwright.core import chain
from tests import reference
from tests.families.kinds import GOLDEN_MATRICES, Contract, Parity, Worked, case, variant
from tests.families.worked import G, matrix, scalar
from tests.reference import regularised
from tests.reference.rectified import adopt
from tests.runs import SHAPES

ADAMW = {"lr": 0.03, "weight_decay": 0.1}
NEVER = "the bound is set later than in three hundred steps, so nothing is constrained yet"
UNBOUND = {"every_slot_moves": "the weights shrink on the way down here, so that the bound never takes hold"}
FREE = "the constraint pulls at its own rate, whatever lr is, as in the authors' code"
PULLS = {"lr_sizes_the_step": FREE, "groups_override_defaults": FREE}
DOUBLES = {"lr_sizes_the_step": "the multiplier depends on the step that it follows, and lr scales both"}
HELD = {"kappa_init_method": "dependent", "kappa_init_param": 0.9}
WARM = {"kappa_init_method": "warm_start", "kappa_init_param": 3}
SAMPLED = {"reg_step_size": 2}

CONTRACT = (
    Contract(gw.AdamS),
    Contract(gw.AdamS, {"amsgrad": True, "weight_decay": 0.01}),
    Contract(gw.SGDS),
    Contract(gw.SGDS, {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01}),
    Contract(gw.AdamCPR, {**HELD, "reg_function": "std", "amsgrad": True}, PULLS),
    Contract(gw.AdamCPR, {}, {"every_slot_moves": NEVER}),
    Contract(gw.AdamCPR, {"kappa_init_method": "warm_start", "kappa_init_param": 500}, {"every_slot_moves": NEVER}),
    Contract(gw.AdamCPR, {**HELD, "reg_function": "huber", "reg_by_lr": True}, DOUBLES),
    Contract(gw.AdamCPR, {"kappa_init_method": "uniform", "kappa_init_param": 25.0, "reg_function": "l1"}, UNBOUND),
    Contract(gw.constrained(gw.AdamW), {**HELD, "reg_function": "std", "weight_decay": 0.0}, PULLS),
    Contract(gw.cautious_decay(gw.AdamW), {"weight_decay": 0.1}),
    Contract(gw.cautious_decay(gw.Lion), {"weight_decay": 0.1}),
    Contract(gw.decoupled(gw.AdamW), {"weight_decay": 1e-4}),
    Contract(gw.decoupled(gw.AdamW), {"decay_form": "corrected", "peak_lr": 1e-3}),
    Contract(gw.decoupled(gw.AdamW), {"decay_form": "after"}),
    Contract(gw.decoupled(gw.ADOPT), {"weight_decay": 0.1, "peak_lr": 1e-3}),
    Contract(gw.norm_regularized(gw.AdamW), {"weight_decay": 0.0, "norm_strength": 1e-2}),
)


def _cpr(name: str, **knobs: Any) -> Parity:
    """AdamCPR beside an Adam that has no decay."""
    return Parity(f"cpr, {name}", gw.AdamCPR, regularised.constrained, knobs, {"base": _adam})


def _adam(state: Any, p: Any, g: Any, *, lr: float, betas: Any, eps: float, amsgrad: bool) -> Any:
    return reference.adam(state, p, g, lr=lr, betas=betas, eps=eps, amsgrad=amsgrad, weight_decay=0.0)


def _of(combinator: Any, method: Any, recipe: Any, base: Any, name: str, shapes: Any = SHAPES, **knobs: Any) -> Parity:
    label = f"{combinator.__name__}, {recipe.recipe_name} {name}".strip()
    return Parity(label, combinator(recipe), method, knobs, {"base": base}, shapes)


PARITY = (
    Parity("adams", gw.AdamS, regularised.adams, {"lr": 0.03, "weight_decay": 0.01}, shapes=((4, 3),)),
    Parity(
        "adams, amsgrad",
        gw.AdamS,
        regularised.adams,
        {"lr": 0.03, "weight_decay": 0.1, "betas": (0.8, 0.6), "amsgrad": True},
        shapes=((2, 3, 4),),
    ),
    Parity("sgds", gw.SGDS, regularised.sgds, {"lr": 0.05, "weight_decay": 0.1}),
    Parity(
        "sgds, momentum",
        gw.SGDS,
        regularised.sgds,
        {"lr": 0.05, "weight_decay": 0.1, "momentum": 0.9, "dampening": 0.3},
    ),
    Parity(
        "sgds, nesterov",
        gw.SGDS,
        regularised.sgds,
        {"lr": 0.05, "weight_decay": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    _cpr("dependent", lr=0.03, **HELD),
    _cpr("uniform", lr=0.03, kappa_init_method="uniform", kappa_init_param=3.0),
    _cpr("warm start", lr=0.03, kappa_update=0.05, **WARM),
    _cpr("inflection point", lr=0.03, kappa_update=0.05, **SAMPLED),
    _cpr("l1", lr=0.03, reg_function="l1", **HELD),
    _cpr("std, amsgrad", lr=0.03, reg_function="std", amsgrad=True, **HELD),
    _cpr("huber, by lr", lr=0.03, reg_function="huber", reg_by_lr=True, **HELD),
    _cpr("far too small", lr=0.03, kappa_init_method="uniform", kappa_init_param=1e-3, kappa_update=5.0),
    _of(gw.constrained, regularised.constrained, gw.SGD, reference.sgd, "", lr=0.05, **HELD),
    _of(gw.cautious_decay, regularised.cautiously_decayed, gw.AdamW, reference.adamw, "", **ADAMW),
    _of(gw.cautious_decay, regularised.cautiously_decayed, gw.Lion, reference.lion, "", lr=0.01, weight_decay=0.3),
    _of(gw.decoupled, regularised.decoupled, gw.AdamW, reference.adamw, "by itself", **ADAMW),
    _of(gw.decoupled, regularised.decoupled, gw.AdamW, reference.adamw, "by the schedule", peak_lr=0.05, **ADAMW),
    _of(
        gw.decoupled,
        regularised.decoupled,
        gw.Lion,
        reference.lion,
        "corrected",
        lr=0.01,
        weight_decay=0.3,
        decay_form="corrected",
        peak_lr=0.02,
    ),
    _of(gw.decoupled, regularised.decoupled, gw.AdamW, reference.adamw, "after", decay_form="after", **ADAMW),
    _of(gw.decoupled, regularised.decoupled, gw.NAdam, reference.nadam, "by itself", **ADAMW),
    _of(gw.cautious_decay, regularised.cautiously_decayed, gw.NAdam, reference.nadam, "", **ADAMW),
    *(
        Parity(
            f"decoupled, ADOPT {form}",
            gw.decoupled(gw.ADOPT),
            regularised.decoupled,
            {"decay_form": form, **ADAMW, **({} if form == "after" else {"peak_lr": 0.05})},
            {"base": adopt, "rests_first": True},
        )
        for form in ("independent", "corrected", "after")
    ),
    _of(gw.norm_regularized, regularised.norm_regularized, gw.SGD, reference.sgd, "", lr=0.05, norm_strength=0.3),
    _of(gw.decoupled, regularised.decoupled, gw.NAdam, reference.nadam, "by itself", **ADAMW),
    _of(gw.cautious_decay, regularised.cautiously_decayed, gw.NAdam, reference.nadam, "", **ADAMW),
    *(
        Parity(
            f"decoupled, ADOPT {form}",
            gw.decoupled(gw.ADOPT),
            regularised.decoupled,
            {"decay_form": form, **ADAMW, **({} if form == "after" else {"peak_lr": 0.05})},
            {"base": adopt, "rests_first": True},
        )
        for form in ("independent", "corrected", "after")
    ),
    _of(gw.norm_regularized, regularised.norm_regularized, gw.AdamW, reference.adamw, "", norm_strength=0.3, **ADAMW),
)

CPR_START = [[0.1, 0.2], [0.3, 0.4]]
CPR_STEPS = [[[-x for x in row] for row in g] for g in G]


def _held(name: str, after: dict[int, Any], multiplier: float, kappa: float, **knobs: Any) -> Worked:
    state = {"constrain.multiplier": multiplier, "constrain.kappa": kappa}
    return Worked(f"CPR, {name}", gw.AdamCPR, {"lr": 0.01, **knobs}, CPR_START, CPR_STEPS, after, state)


WORKED = (
    scalar(
        "AdamW, decay after the step",
        gw.decoupled(gw.AdamW),
        *(0.8910000099, 0.9183342567, 0.8751700487),
        weight_decay=0.1,
        decay_form="after",
    ),
    _held(
        "dependent on the start",
        {
            1: [[0.1093179990, 0.1888220005], [0.3080779997, 0.4074579998]],
            3: [[0.1036715440, 0.1838967294], [0.3101077678, 0.3990444500]],
        },
        0.0089399295,
        0.3,
        kappa_init_method="dependent",
        kappa_init_param=1.0,
    ),
    _held(
        "nine tenths of the start",
        {3: [[0.0966254704, 0.1714991192], [0.2892965854, 0.3720675469]]},
        0.0230387548,
        0.27,
        kappa_init_method="dependent",
        kappa_init_param=0.9,
    ),
    _held(
        "warm start",
        {3: [[0.1072037307, 0.1901150533], [0.3205541040, 0.4125779843]]},
        0.0016071964,
        0.3162542403,
        kappa_init_method="warm_start",
        kappa_init_param=2,
    ),
    matrix(
        "norm loss",
        gw.norm_regularized(gw.SGD),
        {
            1: [[0.9888944272, 2.0177888544], [2.9652, 3.9536]],
            3: [[0.9916792084, 1.9783251571], [2.9607515453, 3.9509435264]],
        },
        lr=0.1,
        norm_strength=0.01,
    ),
    Worked(
        "norm loss, without gradients",
        gw.norm_regularized(gw.SGD),
        {"lr": 0.1, "norm_strength": 0.1},
        [[0.3, 0.4], [3.0, 4.0]],
        [[[0.0, 0.0], [0.0, 0.0]]],
        {1: [[0.306, 0.408], [2.952, 3.936]]},
    ),
    Worked(
        "cautious decay",
        gw.cautious_decay(gw.AdamW),
        {"lr": 0.1, "weight_decay": 0.1},
        [[1, -2], [3, -4]],
        G,
        {
            1: [[0.89000001, -1.880000005], [2.8700000033, -4.0999999975]],
            3: [[0.9052395284, -1.8684812840], [2.6977921914, -4.1390844862]],
        },
    ),
    Worked(
        "plain AdamW beside cautious decay",
        gw.AdamW,
        {"lr": 0.1, "weight_decay": 0.1},
        [[1, -2], [3, -4]],
        G,
        {3: [[0.8964285283, -1.8501356209], [2.6977921914, -4.0182011613]]},
    ),
)

PUBLISHED = {
    gw.AdamS: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-4, "amsgrad": False},
    gw.SGDS: {"dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    gw.AdamCPR: {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "kappa_init_method": "inflection_point",
        "reg_function": "l2",
        "kappa_update": 1.0,
        "reg_step_size": 200,
        "reg_ema_decay": 0.9,
        "reg_by_lr": False,
    },
    gw.norm_regularized(gw.SGD): {"norm_strength": 1e-4},
}

GOLDEN = {
    "AdamS": variant(gw.AdamS, None),
    "AdamS, amsgrad": variant(gw.AdamS, amsgrad=True, betas=(0.9, 0.8), weight_decay=0.01),
    "SGDS": variant(gw.SGDS, momentum=0.9, weight_decay=0.1),
    "AdamCPR": variant(gw.AdamCPR, **HELD),
    "AdamCPR, warm start": variant(gw.AdamCPR, **WARM),
    "AdamCPR, inflection point": variant(gw.AdamCPR, **SAMPLED),
    "AdamCPR, l1": variant(gw.AdamCPR, reg_function="l1", **HELD),
    "AdamCPR, std": variant(gw.AdamCPR, reg_function="std", **HELD),
    "ConstrainedMuon": variant(gw.constrained(gw.Muon), shapes=GOLDEN_MATRICES, **HELD),
    "CautiousDecayAdamW": variant(gw.cautious_decay(gw.AdamW), weight_decay=0.1),
    "DecoupledAdamW": variant(gw.decoupled(gw.AdamW), weight_decay=0.01, peak_lr=0.1),
    "DecoupledAdamW, corrected": variant(gw.decoupled(gw.AdamW), weight_decay=0.1, decay_form="corrected", peak_lr=0.1),
    "DecoupledAdamW, after": variant(gw.decoupled(gw.AdamW), weight_decay=0.1, decay_form="after"),
    "NormLossAdamW": variant(gw.norm_regularized(gw.AdamW), norm_strength=0.1),
}


def _stable(rate: float) -> Any:
    """Behind a moment that is g² at the first step."""
    return chain(parts.Precondition(parts.Full(0.5), parts.AddEps(1e-300)), parts.StableDecay(rate, 0.0))


PARTS = (
    # the mean of 9 and 25 is 17
    case(_stable(0.5), [3.0, -5.0], [1 + 1 / math.sqrt(17), -1 + 1 / math.sqrt(17)], param=[2.0, 2.0]),
    case(_stable(50.0), [3.0, -5.0], [1 + 2.0, -1 + 2.0], param=[2.0, 2.0]),
    case(_stable(0.5), [0.0, 0.0], [0.0, 0.0], param=[2.0, 2.0]),
    case(parts.Constrain(4.0, "uniform"), [[0.0, 0.0]], [[2.0, 2.0]], {"multiplier": 0.25}, param=[[4.0, 4.0]]),
    case(parts.Constrain(4.0, "uniform"), [[1.0, 1.0]], [[1.0, 1.0]], {"multiplier": 0.0}, param=[[2.0, 2.0]]),
    case(
        parts.Constrain(4.0, "uniform", mu=0.125),
        [[0.0, 0.0]],
        [[0.25, 0.125]],
        {"multiplier": 0.0625},
        param=[[2.0, 1.0]],
    ),
    case(
        parts.Constrain(1.0, "uniform", "l1"), [[0.0, 0.0]], [[0.5, -0.25]], {"multiplier": 0.5}, param=[[1.75, -0.25]]
    ),
    case(parts.Constrain(1.0, "uniform"), [3.0], [3.0], param=[9.0]),
    case(parts.Decay(0.5, after=True), 3.0, 2.5, param=2.0),
    case(parts.CautiousDecay(0.5), [3.0, -3.0, 0.0], [4.0, -3.0, 1.0], param=[2.0, 2.0, 2.0]),
    case(parts.CautiousDecay(0.5, only="!vector"), [3.0], [3.0], param=[2.0]),
    case(parts.NormLoss(0.5), [[1.0, 1.0]], [[1 + 0.8 * 3, 1 + 0.8 * 4]], param=[[3.0, 4.0]]),
    case(parts.NormLoss(0.5), [[1.0, 1.0]], [[1 - 1.0 * 0.3, 1 - 1.0 * 0.4]], param=[[0.3, 0.4]]),
    case(parts.NormLoss(0.5, 0.1), [[0.0]], [[-9 * 1e-3]], param=[[1e-3]]),
    case(parts.NormLoss(0.5), [[0.0]], [[0.0]]),
    case(parts.NormLoss(0.5), [1.0], [1.0], param=[3.0]),
    case(parts.NormLoss(0.5), [[1.0]], [[1.0]], param=[[3.0]], role="embedding"),
)

STAGES = {2: {"CautiousDecay", "NormLoss", "StableDecay"}, 3: {"Constrain"}}

DEFAULTS = (
    (parts.NormLoss(1.0), parts.NormLoss(1.0, 1e-3, "!vector & !scalar & !bias & !norm & !embedding")),
    (parts.StableDecay(1.0), parts.StableDecay(1.0, 1e-8)),
    (parts.CautiousDecay(1.0), parts.CautiousDecay(1.0, "*")),
)
