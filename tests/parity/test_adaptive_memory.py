"""AMMSGD over several tensors, which share one coefficient."""

import numpy as np

import gradwright as gw
from tests.reference.memory_momentum import ammsgd_together
from tests.runs import SHAPES, distance, gradients, normals, run

STEPS = 50
KNOBS = {"lr": 0.05, "momentum": 0.9, "pull": 0.1, "weight_decay": 0.02}


def test_all_tensors_follow_one_coefficient():
    starts, walk = normals(SHAPES, 1), gradients(SHAPES, STEPS, 2)
    found = run(gw.AMMSGD, starts, walk, **KNOBS).history
    states, at = [{} for _ in SHAPES], starts
    for t, gs in enumerate(walk):
        at = ammsgd_together(states, at, gs, **KNOBS)
        assert max(distance(mine, its) for mine, its in zip(found[t], at)) < 1e-12


def test_one_tensor_cut_into_pieces_steps_as_a_whole():
    start, steps = normals([(6, 4)], 1), gradients([(6, 4)], 10, 2)
    whole = run(gw.AMMSGD, start, steps, **KNOBS).last[0]
    pieces = run(gw.AMMSGD, np.split(start[0], 3), [np.split(g, 3) for (g,) in steps], **KNOBS).last
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-11)


def test_a_parameter_that_joins_late_brings_its_gradient_as_its_memory():
    """It then pulls the coefficient neither way: its d and g are the same."""
    starts, walk = normals([(3,), (4,)], 1), gradients([(3,), (4,)], 4, 2)
    walk[0][1] = walk[1][1] = None
    found = run(gw.AMMSGD, starts, walk, **{**KNOBS, "weight_decay": 0.0}).history
    alone = run(gw.AMMSGD, starts[:1], [step[:1] for step in walk[:2]], **{**KNOBS, "weight_decay": 0.0}).history
    np.testing.assert_allclose(found[1][0], alone[1][0], rtol=1e-12)
    np.testing.assert_allclose(starts[1] - found[2][1], KNOBS["lr"] * walk[2][1], rtol=1e-12)
