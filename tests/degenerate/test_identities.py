"""Identities: at special settings one method is another, bit for bit or up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import gradwright as gw
from gradwright.core import chain
from gradwright.transforms import AddEps, Decay, Ema, Full, Precondition, Scale, Sign, WeightScale
from tests.runs import SHAPES, as_recipe, gradients, normals, run

STEPS = 12
MATRICES = tuple(shape for shape in SHAPES if len(shape) > 1)
VECTORS = ((), (5,), (1,))
BITWISE, ROUNDING = 0.0, 1e-12


def RmsProp(lr=0.05, beta=0.99, eps=1e-8):
    return chain(Precondition(Full(beta), AddEps(eps)), Scale(lr))


def Average(lr=0.05, beta=0.9, debias=False, weight_decay=0.0):
    return chain(Ema(beta, debias), Decay(weight_decay), Scale(lr))


def SignumOfWeightSize(lr=0.05, beta=0.9, weight_decay=0.0):
    return chain(Ema(beta), Sign(), Decay(weight_decay), WeightScale(1e-3), Scale(lr))


def growing(walk):
    """Every gradient is larger than all before, so that second moments only grow."""
    return [[2.0**t * (np.abs(g) + 1) * np.sign(g) for g in step] for t, step in enumerate(walk)]


def uphill(walk):
    """All positive, so that every direction agrees with the gradient."""
    return [[np.abs(g) for g in step] for step in walk]


def same(walk):
    return walk


@dataclass(frozen=True)
class Identity:
    name: str
    left: tuple[Any, dict[str, Any]]
    right: tuple[Any, dict[str, Any]]
    tolerance: float = BITWISE
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    steps: Callable[[Any], Any] = same
    loss: float | None = None
    knobs: dict[str, Any] = field(default_factory=lambda: {"lr": 0.05})


FREE = {"weight_decay": 0.0}
NO_FIRST = {"betas": (0.0, 0.99)}

IDENTITIES = [
    Identity("AdamW without decay is Adam", (gw.AdamW, FREE), (gw.Adam, {})),
    Identity("Adam without a first moment is RMSprop, corrected", (gw.Adam, NO_FIRST), (RmsProp, {})),
    Identity(
        "Adam with a huge eps is momentum",
        (gw.Adam, {"lr": 0.05e12, "eps": 1e12}),
        (Average, {"debias": True}),
        1e-11,
        knobs={},
    ),
    Identity(
        "AMSGrad is Adam while the second moment grows", (gw.Adam, {"amsgrad": True}), (gw.Adam, {}), steps=growing
    ),
    Identity("NAdam, torch, without a first moment", (gw.NAdam, NO_FIRST), (gw.Adam, NO_FIRST), ROUNDING),
    Identity("NAdam, dozat", (gw.NAdam, {**NO_FIRST, "form": "dozat"}), (gw.Adam, NO_FIRST), ROUNDING),
    Identity("NAdam, optax", (gw.NAdam, {**NO_FIRST, "form": "optax"}), (gw.Adam, NO_FIRST), ROUNDING),
    Identity("NAdamW", (gw.NAdamW, {**NO_FIRST, **FREE}), (gw.Adam, NO_FIRST), ROUNDING),
    Identity("NAdam's two decays agree at none", (gw.NAdam, {"decoupled_weight_decay": True}), (gw.NAdam, {})),
    # without surprise s gathers eps alone, and s / (1 − β₂ᵗ) is eps / (1 − β₂) from the first step on
    Identity(
        "AdaBelief that is never surprised is SGD",
        (gw.AdaBelief, {**NO_FIRST, "eps": 1e-4, "lr": 0.05}),
        (gw.SGD, {"lr": 0.05 / (np.sqrt(1e-4 / 0.01) + 1e-4)}),
        ROUNDING,
        knobs={},
    ),
    Identity("SGD with a momentum of zero keeps a buffer in vain", (gw.SGD, {"momentum": 0.0}), (gw.SGD, {})),
    Identity("and looks nowhere ahead", (gw.SGD, {"momentum": 0.0, "nesterov": True}), (gw.SGD, {})),
    Identity(
        "SGD's penalty is decay while there is no momentum",
        (gw.SGD, {"weight_decay": 0.3}),
        (Average, {"beta": 0.0, "weight_decay": 0.3}),
        ROUNDING,
    ),
    Identity(
        "SGD's momentum is an average at a larger rate",
        (gw.SGD, {"momentum": 0.9, "lr": 0.05}),
        (Average, {"beta": 0.9, "lr": 0.5}),
        ROUNDING,
        knobs={},
    ),
    Identity(
        "Lion with one speed is Signum",
        (gw.Lion, {"betas": (0.9, 0.9), "weight_decay": 0.1}),
        (gw.Signum, {"weight_decay": 0.1}),
    ),
    Identity(
        "Tiger of vectors is Signum at half the rate",
        (gw.Tiger, {"momentum": 0.9, "lr": 0.1}),
        (gw.Signum, {"lr": 0.05}),
        shapes=VECTORS,
        knobs={},
    ),
    Identity(
        "Tiger with one micro-batch a step",
        (gw.Tiger, {"momentum": 0.9, "weight_decay": 0.1, "accumulate": 1}),
        (SignumOfWeightSize, {"weight_decay": 0.1}),
        shapes=MATRICES,
    ),
    Identity(
        "Lamb of vectors is AdamW without decay", (gw.Lamb, {}), (gw.AdamW, {**FREE, "eps": 1e-6}), shapes=VECTORS
    ),
    Identity(
        "Adafactor's two places for eps are one where eps is nothing",
        (gw.Adafactor, {"eps": (1e-300, 1e-3)}),
        (gw.Adafactor, {"eps": (1e-150, 1e-3), "form": "torch"}),
        ROUNDING,
        shapes=((), (5,), (4, 3)),
    ),
    Identity("Adafactor with a momentum of zero", (gw.Adafactor, {"momentum": 0.0}), (gw.Adafactor, {})),
    Identity(
        "Muon with a momentum of zero looks nowhere ahead",
        *((gw.Muon, {"momentum": 0.0, "nesterov": nesterov}) for nesterov in (True, False)),
        shapes=MATRICES,
    ),
    Identity(
        "AdaLo at a constant loss, without memory of it, is momentum",
        (gw.AdaLo, {"betas": (0.9, 0.0), "weight_decay": 0.1, "lr": 1.0}),
        (Average, {"lr": 1 / (3.0 * (2 + 1.5)), "weight_decay": 0.1}),
        ROUNDING,
        loss=1.5,
        knobs={},
    ),
    Identity(
        "AdaLo's two modes meet where the averaged loss is one half of its range",
        (gw.AdaLo, {"betas": (0.9, 0.0), "mode": "compliant"}),
        (gw.AdaLo, {"betas": (0.9, 0.0), "mode": "adversarial"}),
        loss=0.0,
    ),
    Identity(
        "Lookahead all the way is no Lookahead",
        (gw.lookahead(gw.AdamW), {"alpha": 1.0, "k": 2}),
        (gw.AdamW, {}),
        ROUNDING,
    ),
    Identity("nor is one that never comes", (gw.lookahead(gw.AdamW), {"k": STEPS + 1}), (gw.AdamW, {})),
    Identity(
        "Lookahead at every step is a smaller rate",
        (gw.lookahead(gw.SGD), {"k": 1, "alpha": 0.25, "lr": 0.2}),
        (gw.SGD, {"lr": 0.05}),
        ROUNDING,
        knobs={},
    ),
    *(
        Identity(
            f"caution changes nothing where all agree: {base.__name__}",
            (gw.cautious(base), knobs),
            (base, knobs),
            steps=uphill,
        )
        for base, knobs in ((gw.AdamW, {}), (gw.Lion, {}), (gw.NAdamW, {}), (gw.SGD, {"momentum": 0.9}), (gw.Lamb, {}))
    ),
    Identity(
        "a schedule-free y that leans on z is RMSprop",
        (gw.ScheduleFreeAdamW, {"betas": (1e-6, 0.99)}),
        (RmsProp, {}),
        1e-5,
    ),
]


def last(side, identity):
    build, knobs = side
    context = nullcontext(build) if isinstance(build, type) else as_recipe(build)
    walk = identity.steps(gradients(identity.shapes, STEPS, seed=22))
    losses = None if identity.loss is None else [identity.loss] * STEPS
    with context as recipe:
        needs = losses if "loss" in recipe.chain().all_needs else None
        return run(recipe, normals(identity.shapes, seed=21), walk, losses=needs, **{**identity.knobs, **knobs}).last


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.name)
def test_one_method_at_special_settings_is_another(identity):
    for left, right in zip(last(identity.left, identity), last(identity.right, identity)):
        if identity.tolerance == BITWISE:
            assert np.array_equal(left, right)
        else:
            np.testing.assert_allclose(left, right, rtol=identity.tolerance, atol=identity.tolerance)


def test_the_fast_iterate_of_schedule_free_is_the_method_inside():
    """Gradients being given, z does not notice what the average does."""
    start, walk = normals(SHAPES, 21), gradients(SHAPES, STEPS, 22)
    free = run(gw.ScheduleFreeAdamW, start, walk, lr=0.05, betas=(0.9, 0.99))
    with as_recipe(RmsProp) as recipe:
        plain = run(recipe, start, walk).last
    for index, expected in enumerate(plain):
        np.testing.assert_allclose(free.state("schedule_free.z", index), expected, rtol=1e-12, atol=1e-14)


def test_combinators_that_act_at_different_places_commute():
    one, other = (
        first(second(gw.AdamW)).chain() for first, second in ((gw.cautious, gw.lookahead), (gw.lookahead, gw.cautious))
    )
    assert one == other
