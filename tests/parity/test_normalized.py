"""Normalised descent over several tensors, and what the layer-wise rates promise."""

import math
from itertools import pairwise

import numpy as np
import pytest

import gradwright as gw
import gradwright.transforms as parts
from gradwright.core import chain
from tests.families.worked import M2, V0, W0, G, H
from tests.reference.normalized import nsgda_together
from tests.runs import SHAPES, as_recipe, distance, gradients, normals, run


def test_one_norm_over_a_matrix_and_a_vector():
    found = run(gw.NSGDA, [W0, V0], list(zip(G, H)), lr=0.1, over="all").last
    expected = [[0.9983549098, 2.0044031180], [2.8521917702, 3.8784657972]]
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found[1], [0.8505402769, -2.0432608912], rtol=0, atol=1e-8)


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_the_global_form_follows_the_equations(engine):
    knobs = {"momentum": 0.8, "eps": 0.1, "weight_decay": 0.05}
    params, walk = normals(SHAPES, 3), gradients(SHAPES, 30, 4)
    found = run(gw.NSGDA, params, walk, lr=0.1, over="all", engine=engine, **knobs).history
    state = {}
    for t, step in enumerate(walk):
        params = nsgda_together(state, params, step, lr=0.1, **knobs)
        assert max(distance(a, b) for a, b in zip(found[t], params)) < 1e-12


@pytest.mark.parametrize("over", ["tensor", "all"])
def test_every_step_has_the_length_lr(over):
    start, walk = normals(SHAPES, 3), gradients(SHAPES, 10, 4)
    history = [start, *run(gw.NSGDA, start, walk, lr=0.1, eps=0.0, over=over).history]
    for before, after in pairwise(history):
        moved = [np.linalg.norm(b - a) for a, b in zip(before, after)]
        if over == "all":
            assert math.hypot(*moved) == pytest.approx(0.1, rel=1e-12)
        else:
            assert moved == pytest.approx([0.1] * len(SHAPES), rel=1e-12)


def test_a_frozen_player_does_not_count():
    """A tensor without a gradient takes no part in the norm."""
    found = run(gw.NSGDA, [W0, V0], [[g, None] for g in G], lr=0.1, over="all").last
    alone = run(gw.NSGDA, [W0], [[g] for g in G], lr=0.1).last
    np.testing.assert_allclose(found[0], alone[0], rtol=1e-13)
    assert np.array_equal(found[1], V0)


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_a_gradient_can_be_normalised_before_any_method(engine):
    """SGD with momentum then sees gradients of length one; a normalisation after it would see their sum."""

    def NormalizedMomentum(lr=0.1, momentum=0.9):
        return chain(parts.NormalizeGradient(0.0), parts.HeavyBall(momentum), parts.Scale(lr))

    start, walk = normals(SHAPES, 3), gradients(SHAPES, 10, 4)
    unit = [[g / np.linalg.norm(g) for g in step] for step in walk]
    with as_recipe(NormalizedMomentum) as recipe:
        found = run(recipe, start, walk, engine=engine).last
    expected = run(gw.SGD, start, unit, lr=0.1, momentum=0.9).last
    assert max(distance(a, b) for a, b in zip(found, expected)) < 1e-12


def test_momenta_and_moments_see_the_normalised_gradient():
    def NormalizedAdam(lr=0.1, beta=0.9):
        precondition = parts.Precondition(parts.Full(beta), parts.AddEps(1e-3))
        return chain(parts.NormalizeGradient(0.0), precondition, parts.Scale(lr))

    with as_recipe(NormalizedAdam) as recipe:
        plain, scaled = (run(recipe, [W0], [[np.multiply(size, g)] for g in G]).last[0] for size in (1, 1e3))
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)


@pytest.mark.parametrize("over", ["tensor", "all"])
def test_what_is_not_a_number_is_not_hidden(over):
    g = np.array([1.0, np.nan, 0.0])
    assert np.isnan(run(gw.NSGDA, [np.ones(3)], [[g]], over=over).last[0]).all()


def test_lambs_first_step_is_lr_times_the_length_of_the_weights():
    """With a correction left over beside the ratio it would be ten times as long."""
    moved = run(gw.Lamb, [W0], [[g] for g in M2[:1]], lr=0.01, weight_decay=0.01).last[0] - W0
    assert np.linalg.norm(moved) == pytest.approx(0.01 * np.linalg.norm(W0), rel=1e-12)


def test_lambs_ratio_does_not_need_decay():
    """In apex and timm, LAMB without decay is Adam."""
    moved = run(gw.Lamb, [np.multiply(7.0, W0)], [[G[0]]], lr=0.01, weight_decay=0.0).last[0] - np.multiply(7.0, W0)
    assert np.linalg.norm(moved) == pytest.approx(0.07 * np.linalg.norm(W0), rel=1e-12)


def test_larss_first_step_has_no_raw_gradient_in_it():
    """A buffer that starts as the gradient itself makes a step that is hundreds of times too long."""
    for form in ("paper", "simclr", "popular", "timm"):
        moved = run(gw.Lars, [W0], [[G[0]]], weight_decay=0.01, form=form).last[0] - W0
        assert np.linalg.norm(moved) <= 1.0001e-3 * np.linalg.norm(W0), form


def test_larss_forms_part_where_the_learning_rate_changes():
    walk = [[g] for g in G]
    steady, falling = {}, {}
    for form in ("paper", "timm"):
        steady[form] = run(gw.Lars, [W0], walk, form=form).last[0]
        falling[form] = run(gw.Lars, [W0], walk, form=form, changes=lambda t: {"lr": 1.0 / t}).last[0]
    np.testing.assert_allclose(steady["paper"], steady["timm"], rtol=1e-14)
    assert np.abs(falling["paper"] - falling["timm"]).max() > 1e-4


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        ({"clip": (5.0, 1.0)}, ValueError, r"Lamb: TrustRatio: clip=\(5.0, 1.0\); give the lower bound"),
        ({"clip": (1.0, 2.0, 3.0)}, TypeError, r"Lamb: TrustRatio: clip=\(1.0, 2.0, 3.0\); give two bounds"),
    ],
)
def test_bounds_that_are_none_are_refused(wrong, kind, says):
    with pytest.raises(kind, match=says):
        gw.Lamb.bind(**wrong)


def test_an_unknown_form_or_scope_is_refused():
    with pytest.raises(ValueError, match="Lars: form='larc' is unknown; known are paper, simclr, popular, timm"):
        gw.Lars.bind(form="larc")
    with pytest.raises(ValueError, match="NSGDA: Normalize: over='layer' is unknown; known are tensor, all"):
        gw.NSGDA.bind(over="layer")
    with pytest.raises(ValueError, match="Tiger: lazy=True looks at the gradient of one micro-step"):
        gw.Tiger.bind(lazy=True, accumulate=4)
