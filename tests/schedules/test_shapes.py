"""Every schedule has its worked numbers, and stays where it should."""

import math
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
import torch

from gradwright.schedules import (
    AmosDecay,
    Constant,
    Cosine,
    InverseSqrt,
    Linear,
    Piecewise,
    Product,
    Schedule,
    Then,
    Warmup,
    WarmupStableDecay,
    amos_settings,
)

TIGER = Piecewise({40_000: 1, 160_000: 0.5, 640_000: 0.1, 1_280_000: 0.01})

PRINTED = {0.91406: 5e-6, 0.2929: 5e-5, 0.134: 5e-4}
"""Numbers that were published rounded, and by how much they may be off."""

WORKED = [
    (Warmup(4), {0: 0.25, 1: 0.5, 3: 1, 9: 1}),
    (Warmup(4, from_zero=True), {0: 0, 1: 0.25, 4: 1, 9: 1}),
    (Warmup(0), {0: 1}),
    (Cosine(10, final=0.1), {0: 1, 2: 0.91406, 5: 0.55, 10: 0.1, 11: 0.1}),
    (Cosine(10), {5: 0.5, 10: 0}),
    (Linear(8), {0: 1, 2: 0.75, 8: 0, 20: 0}),
    (Linear(8, final=0.5), {4: 0.75, 8: 0.5}),
    (
        WarmupStableDecay(2, 4, 4, from_zero=True),
        dict(enumerate([0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0])),
    ),
    (WarmupStableDecay(2, 4, 4), dict(enumerate([0.5, 1, 1, 1, 1, 1, 1, 0.75]))),
    (WarmupStableDecay(2, 4, 4, "sqrt"), {6: 1, 7: 0.5, 8: 0.2929, 9: 0.134, 10: 0}),
    (WarmupStableDecay(2, 4, 4, "cosine"), {6: 1, 8: 0.5, 10: 0}),
    # half-lives of two steps
    (WarmupStableDecay(2, 4, 4, "exp", final=0.5 ** (4 / 2)), {6: 1, 7: 0.5**0.5, 8: 0.5, 9: 0.5**1.5, 10: 0.25}),
    (WarmupStableDecay(0, 3, 2), {0: 1, 3: 1, 4: 0.5, 5: 0}),
    (InverseSqrt(4), {0: 0.25, 3: 1, 15: 0.5, 63: 0.25}),
    (TIGER, {0: 0, 20_000: 0.5, 40_000: 1, 100_000: 0.75, 400_000: 0.3, 960_000: 0.055, 2_000_000: 0.01}),
    (Piecewise({0: 1}), {0: 1, 5: 1}),
    (Piecewise([(0, 0.5), (10, 1)]), {0: 0.5, 5: 0.75, 10: 1}),
    (Constant(0.3), {0: 0.3, 100: 0.3}),
]


@pytest.mark.parametrize(("schedule", "points"), WORKED, ids=lambda value: str(value)[:60])
def test_worked_numbers(schedule, points):
    for t, expected in points.items():
        assert schedule(t) == pytest.approx(expected, abs=PRINTED.get(expected, 1e-12)), t


@pytest.mark.parametrize("shape", ["linear", "sqrt", "cosine", "exp"])
@pytest.mark.parametrize("final", [0.01, 0.1, 0.5])
def test_a_fall_reaches_its_final_value_without_a_jump(shape, final):
    """Other libraries leave the final value out of the fall and jump to it at the end."""
    schedule = WarmupStableDecay(3, 2, 1000, shape, final=final)
    curve = [schedule(t) for t in range(1010)]
    assert curve[1005:] == pytest.approx([final] * 5)
    assert max(abs(a - b) for a, b in pairwise(curve[5:])) < 0.04
    assert all(a >= b for a, b in pairwise(curve[5:]))
    assert min(curve[5:]) >= final - 1e-12


def test_an_exponential_fall_to_zero_is_refused_rather_than_made_a_cliff():
    with pytest.raises(ValueError, match="final=0"):
        WarmupStableDecay(0, 10, 10, "exp")


@pytest.mark.parametrize("schedule", [Cosine(7, 0.2), Linear(7, 0.2), WarmupStableDecay(1, 2, 4, "sqrt", 0.2), TIGER])
def test_after_its_length_a_schedule_stays(schedule):
    last = schedule(schedule.length)
    assert [schedule(schedule.length + more) for more in (1, 2.5, 1e9)] == [last] * 3


def test_the_rise_and_the_fall_of_the_inverse_root_meet_at_one():
    assert max(InverseSqrt(100)(t) for t in range(500)) == 1 == InverseSqrt(100)(99)
    assert InverseSqrt(100)(399) == pytest.approx(math.sqrt(100 / 400))


@pytest.mark.parametrize("t", [-1, -1e-9, math.nan])
def test_steps_are_counted_from_zero(t):
    with pytest.raises(ValueError, match="from 0"):
        Cosine(10)(t)


IMPOSSIBLE = [
    (lambda: Cosine(0), "steps=0"),
    (lambda: Linear(-3), "steps=-3"),
    (lambda: Cosine(10, final=math.nan), "final=nan"),
    (lambda: Warmup(math.inf), "steps=inf"),
    (lambda: WarmupStableDecay(1, 1, 0), "decay=0"),
    (lambda: WarmupStableDecay(1, 1, 1, "root"), "shape='root'"),
    (lambda: InverseSqrt(0), "warmup=0"),
    (lambda: Piecewise({}), "no points"),
    (lambda: Piecewise({5: -1}), "the point 5"),
    (lambda: Piecewise([(5, 1), (5, 2)]), "two multipliers"),
]


STRANGE = {
    "text": ("10", TypeError),
    "huge": (10**400, ValueError),
    "negative": (-1.0, ValueError),
    "nan": (math.nan, ValueError),
    "infinite": (math.inf, ValueError),
    "flag": (True, TypeError),
    "nothing": (None, TypeError),
    "list": ([1.0], TypeError),
    "complex": (1j, TypeError),
    "tensor": (torch.ones(2), ValueError),
}
SETTINGS = {
    Constant: (),
    Warmup: (3,),
    Cosine: (3,),
    Linear: (3,),
    WarmupStableDecay: (1, 1, 1),
    InverseSqrt: (3,),
    AmosDecay: (3,),
    Product: (Constant(), Constant()),
    Then: (Constant(), Constant(), 3),
}


def test_every_schedule_is_in_the_table_of_settings():
    assert {*SETTINGS, Piecewise} == set(Schedule.__subclasses__())


@pytest.mark.parametrize("kind", STRANGE)
def test_every_field_of_every_schedule_is_checked_by_name(kind):
    value, error = STRANGE[kind]
    for schedule, arguments in SETTINGS.items():
        given = dict(zip((field.name for field in fields(schedule)), arguments))
        for field in fields(schedule):
            if field.type == "bool" and kind == "flag":
                continue
            expected = error if field.type == "float" else (TypeError, ValueError)
            with pytest.raises(expected, match=f"^{schedule.__name__}: {field.name}") as refused:
                schedule(**{**given, field.name: value})
            assert len(str(refused.value)) < 300
    for points in ({value: 1.0}, {3.0: value}) if kind != "list" else ({3.0: value},):
        with pytest.raises(error, match=r"^Piecewise: (a step|the multiplier of step|the point)"):
            Piecewise(points)
    with pytest.raises(error, match=r"^Cosine: t"):
        Cosine(10)(value)
    with pytest.raises(error, match=r"^amos_settings: sigma"):
        amos_settings(1e-3, value)
    with pytest.raises(error, match=r"^AmosDecay: alpha"):
        AmosDecay(10).speed(value)


@pytest.mark.parametrize("points", [3.0, "ab", [1.0, 2.0], [(1, 2, 3)], None])
def test_points_are_pairs(points):
    with pytest.raises(TypeError, match=r"^Piecewise: (points=|a step)"):
        Piecewise(points)


def test_numbers_of_numpy_and_of_tensors_are_numbers():
    assert Cosine(np.float32(10), torch.tensor(0.5)) == Cosine(10.0, 0.5)
    assert Cosine(10)(np.int64(5)) == Cosine(10)(torch.tensor(5)) == Cosine(10)(5)
    assert isinstance(hash(Cosine(torch.tensor(10.0))), int)


@pytest.mark.parametrize(("build", "words"), IMPOSSIBLE)
def test_impossible_settings_are_refused_by_name(build, words):
    with pytest.raises(ValueError, match=words):
        build()
