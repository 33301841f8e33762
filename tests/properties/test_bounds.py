"""What a part refuses at construction, and the borders that it still takes."""

import pytest

import gradwright as gw
from gradwright import transforms

REFUSED = [
    ("Ema", {"beta": 1.0}, "beta=1 is outside"),
    ("Debias", {"beta": 1.0}, "beta=1 is outside"),
    ("HeavyBall", {"momentum": 1.0}, "momentum=1 is outside"),
    ("TwoSpeed", {"beta1": 1.0, "beta2": 0.5}, "beta1=1 is outside"),
    ("TwoSpeed", {"beta1": 0.5, "beta2": -0.5}, "beta2=-0.5 is outside"),
    ("NesterovSchedule", {"beta": 1.0}, "beta=1 is outside"),
    ("NesterovDebiased", {"beta": 1.0}, "beta=1 is outside"),
    ("AccumulatingEma", {"beta": 1.0}, "beta=1 is outside"),
    ("Full", {"beta": 1.0}, "beta=1 is outside"),
    ("Belief", {"beta": 1.0, "eps": 0.0}, "beta=1 is outside"),
    ("AddEps", {"eps": -1e-8}, "eps=-1e-08 is outside"),
    ("ClipRms", {"threshold": 0.0}, "threshold=0 is outside"),
    ("Decay", {"weight_decay": -0.1}, "weight_decay=-0.1 is outside"),
    ("Scale", {"size": float("nan")}, "size=nan is outside"),
    ("ScheduleFree", {"size": 1.0, "beta": 0.0}, "beta=0 is outside"),
    ("ScheduleFree", {"size": 1.0, "beta": 1.0}, "beta=1 is outside"),
    ("Lookahead", {"alpha": 1.1}, "alpha=1.1 is outside"),
    ("Lookahead", {"k": 0}, "k=0 must be at least 1"),
    ("ShrinkOnNan", {"shrink": 1.1}, "shrink=1.1 is outside"),
    ("LossScaled", {"kappa": 0.0}, "kappa=0 is outside"),
    ("LossScaled", {"beta": 1.0}, "beta=1 is outside"),
    ("LossScaled", {"mode": "friendly"}, "mode='friendly' is unknown"),
    ("Orthogonalize", {"coefficients": "none"}, "coefficients='none' is unknown; known are keller, you"),
    ("ShapeScale", {"rule": "none"}, "rule='none' is unknown"),
]

BORDERS = [
    ("Ema", {"beta": 0.0}),
    ("Full", {"beta": 0.0}),
    ("Lookahead", {"k": 1, "alpha": 0.0}),
    ("Lookahead", {"alpha": 1.0}),
    ("ShrinkOnNan", {"shrink": 0.0}),
    ("ShrinkOnNan", {"shrink": 1.0}),
    ("Scale", {"size": 0}),
]

IGNORED = [  # settings that would have no effect
    ({"nesterov": True}, "nesterov=True needs momentum"),
    ({"dampening": 0.5}, "dampening=0.5 needs momentum"),
    ({"momentum": 0.9, "nesterov": True, "dampening": 0.5}, "nesterov=True needs dampening=0, not dampening=0.5"),
]


def name_of(value):
    return value if isinstance(value, str) else None


@pytest.mark.parametrize(("part", "fields", "message"), REFUSED, ids=name_of)
def test_a_part_names_what_it_refuses(part, fields, message):
    with pytest.raises(ValueError, match=f"^{part}: {message}"):
        getattr(transforms, part)(**fields)


@pytest.mark.parametrize(("part", "fields"), BORDERS, ids=name_of)
def test_borders_are_taken(part, fields):
    assert getattr(transforms, part)(**fields).knobs() is not None


@pytest.mark.parametrize(("knobs", "message"), IGNORED, ids=str)
def test_sgd_refuses_what_it_would_ignore(knobs, message):
    with pytest.raises(ValueError, match=f"^SGD: {message}"):
        gw.SGD.bind(**knobs)
