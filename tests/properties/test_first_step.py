"""How long the first step is where the gradient is one: what decides whether a method needs warm-up."""

import pytest

import gradwright as gw
from tests.runs import run

UNDECAYED = {"weight_decay": 0.0}

FIRST_STEPS = {  # on a parameter of 1 with gradient 1 and lr 1: the step, and the digits to which it is known
    "SGD": (gw.SGD, {}, 1.0),
    "SGD, momentum": (gw.SGD, {"momentum": 0.9}, 1.0),
    "SGD, Nesterov": (gw.SGD, {"momentum": 0.9, "nesterov": True}, 1.9),
    "SGD, Nesterov 0.5": (gw.SGD, {"momentum": 0.5, "nesterov": True}, 1.5),
    "Adam": (gw.Adam, {}, 1.0),
    "AMSGrad": (gw.Adam, {"amsgrad": True}, 1.0),
    "AdamW": (gw.AdamW, UNDECAYED, 1.0),
    "AdamW, decay": (gw.AdamW, {"weight_decay": 0.25}, 1.25),
    "NAdam, torch": (gw.NAdam, {}, 1.0565),
    "NAdam, dozat": (gw.NAdam, {"form": "dozat"}, 1.3104),
    "NAdam, optax": (gw.NAdam, {"form": "optax"}, 1.4737),
    "NAdamW": (gw.NAdamW, UNDECAYED, 1.9),
    "AdaBelief": (gw.AdaBelief, {}, 1 / 0.9),  # the surprise is g − m = 0.9 g
    "Adafactor": (gw.Adafactor, {}, 1.0),
    "Adafactor, momentum": (gw.Adafactor, {"momentum": 0.9}, 0.1),
    "Lamb, a number": (gw.Lamb, {}, 1.0),
    "Lion": (gw.Lion, {}, 1.0),
    "Tiger, a number": (gw.Tiger, {}, 0.5),
    "AdaLo": (gw.AdaLo, UNDECAYED, 0.1 * 0.001 / (2 + 1.5) / 3),
    "AdaLo, compliant": (gw.AdaLo, {**UNDECAYED, "mode": "compliant"}, 0.1 * (1 - 0.001 / (2 + 1.5)) / 3),
    "ScheduleFreeAdamW": (gw.ScheduleFreeAdamW, {}, 1.0),
    "ScheduleFreeAdamW, warm-up": (gw.ScheduleFreeAdamW, {"warmup_steps": 4}, 0.25),
    "RMSprop": (gw.RMSprop, {}, 10.0),  # √(1 − α), which nothing corrects
    "RMSprop, centred": (gw.RMSprop, {"centered": True}, 1 / 0.0099**0.5),
    "Adagrad": (gw.Adagrad, {}, 1.0),
    "Adadelta": (gw.Adadelta, {}, (1e-6 / (0.1 + 1e-6)) ** 0.5),
    "ASGD": (gw.ASGD, {"lambd": 0.25}, 1.25),
    "QHM": (gw.QHM, {}, 0.7 * 0.001 + 0.3),
    "QHAdam": (gw.QHAdam, {}, 1.0),
    "AggMo": (gw.AggMo, {}, 1.0),
    "LaProp": (gw.LaProp, {}, 1.0),
    "NovoGrad": (gw.NovoGrad, {}, 1.0),
    "NovoGrad, averaging": (gw.NovoGrad, {"averaging": True}, 0.05),
    "BCOS": (gw.BCOS, UNDECAYED, 1.0),
    "StableAdamW": (gw.StableAdamW, UNDECAYED, 1.0),
    "Padam": (gw.Padam, {}, 0.001**0.25),
    "Grams": (gw.Grams, {}, 1.0),
    "Ano": (gw.Ano, {}, 1.0),
    "AdamP": (gw.AdamP, {}, 1.0),
    "SGDP": (gw.SGDP, {}, 1.0),
    "CAME, a number": (gw.CAME, {}, 0.1),
    "CautiousAdamW": (gw.cautious(gw.AdamW), UNDECAYED, 1.0),
    "LookaheadSGD": (gw.lookahead(gw.SGD), {}, 1.0),
    "LookaheadSGD, k=1": (gw.lookahead(gw.SGD), {"k": 1}, 0.5),
}


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_the_first_step_has_its_known_length(name):
    recipe, knobs, expected = FIRST_STEPS[name]
    losses = [1.5] if "needs_loss" in recipe.spec.traits else None
    moved = 1 - run(recipe, [1.0], [[1.0]], lr=1.0, losses=losses, **knobs).last[0].item()
    assert moved == pytest.approx(expected, rel=5e-5)


MATRIX_STEPS = {  # of a 1 × 1 matrix that holds 3
    "Lamb": (gw.Lamb, UNDECAYED, 3.0),
    "Tiger": (gw.Tiger, UNDECAYED, 3.0),
    "Adafactor": (gw.Adafactor, {}, 3.0),
    "CAME": (gw.CAME, {}, 0.1 / (1e-4 * 0.81) ** 0.5),  # eleven, since nothing corrects the unsteadiness
    "CAME, debias": (gw.CAME, {"debias": True}, 0.1 / 0.9),
    "Muon": (gw.Muon, {}, 0.696),
    "Muon, you": (gw.Muon, {"coefficients": "you"}, 0.978),
    "Muon, matched to AdamW": (gw.Muon, {"adjust_lr": "match_rms_adamw"}, 0.2 * 0.696),
}


@pytest.mark.parametrize("name", MATRIX_STEPS)
def test_the_first_step_of_a_matrix_has_its_known_length(name):
    recipe, knobs, expected = MATRIX_STEPS[name]
    moved = 3 - run(recipe, [[[3.0]]], [[[[1.0]]]], lr=1.0, **knobs).last[0].item()
    assert moved == pytest.approx(expected, rel=1e-3)


def test_steps_are_counted_for_each_tensor_and_only_where_there_is_a_gradient():
    walk = run(gw.AdamW, [1.0, 1.0, 1.0], [[1.0, None, None], [1.0, None, 1.0], [None, None, 1.0]])
    assert [float(walk.optimizer.state[param]["step"]) for param in walk.params] == [2, 0, 2]
    assert walk.last[1] == 1.0


@pytest.mark.parametrize("recipe", [gw.Adam, gw.NAdam, gw.NAdamW, gw.AdaBelief, gw.ScheduleFreeAdamW, gw.Adafactor])
def test_a_late_tensor_is_corrected_by_its_own_age(recipe):
    """By the optimizer's age its first step would be short or long: 3.16 times as long with Adam's defaults."""
    late = run(recipe, [1.0, 1.0], [[1.0, None]] * 5 + [[1.0, 1.0]])
    fresh = run(recipe, [1.0], [[1.0]])
    assert late.last[1] == fresh.last[0]
