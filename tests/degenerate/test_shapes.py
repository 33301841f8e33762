"""Shapes at which a method for matrices turns into something simpler."""

from itertools import pairwise

import numpy as np
import pytest

import gradwright as gw
from tests.reference.muon import response
from tests.runs import gradients, normals, run

STEPS = 6
DIRECTION = {"lr": 0.1, "relative_step": False, "scale_parameter": False, "d": 1e9}


@pytest.mark.parametrize("coefficients", ["keller", "you"])
@pytest.mark.parametrize("shape", [(1, 7), (1, 1), (1, 2, 3, 1)], ids=str)
def test_muon_of_one_row_is_a_normalised_momentum(shape, coefficients):
    """The only singular value is the norm, so all that is left of the iteration is its answer to one."""
    knobs = {"lr": 0.1, "momentum": 0.9, "nesterov": False, "coefficients": coefficients}
    start, walk = normals([shape], 1), gradients([shape], STEPS, 2)
    found = run(gw.Muon, start, walk, **knobs).last[0]
    p, m = start[0], 0.0
    for (g,) in walk:
        m = 0.9 * m + 0.1 * g
        p = p - 0.1 * response(1.0, coefficients) * m / np.linalg.norm(m)
    np.testing.assert_allclose(found, p, rtol=1e-12)


def test_muon_of_one_column_is_that_of_one_row_scaled_by_its_length():
    start, walk = normals([(1, 9)], 1), gradients([(1, 9)], STEPS, 2)
    row = run(gw.Muon, start, walk, lr=0.3).last[0]
    column = run(gw.Muon, [start[0].T], [[g.T for g in step] for step in walk], lr=0.1).last[0]
    np.testing.assert_allclose(column.T, row, rtol=1e-12)


@pytest.mark.parametrize("adjust_lr", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (6, 2, 9), (6, 1, 3, 3, 2)], ids=str)
def test_muon_of_a_convolution_is_that_of_its_flattened_matrix(shape, adjust_lr):
    """Three dimensions are a convolution where the role says so, and a stack of matrices else."""
    start, walk = normals([shape], 1), gradients([shape], STEPS, 2)
    kernel = run(gw.Muon, start, walk, roles=["convolution"], adjust_lr=adjust_lr).last[0]
    flat = run(gw.Muon, [start[0].reshape(6, 18)], [[g.reshape(6, 18)] for (g,) in walk], adjust_lr=adjust_lr)
    assert np.array_equal(kernel.reshape(6, 18), flat.last[0])


def rank_one(shape, sizes):
    """Gradients whose squares are multiples of one matrix of rank one."""
    first, second = normals(shape, 3)
    return [size * np.outer(first, second) for size in sizes]


@pytest.mark.parametrize("form", ["paper", "torch"])
@pytest.mark.parametrize("scale", [False, True])
def test_adafactor_of_rank_one_squares_is_adafactor_of_the_flattened_vector(form, scale):
    """The factored estimate is then exact, so it is Adam's without a first moment and with a falling 1 − β₂."""
    steps = rank_one([(4,), (3,)], (1.0, -3.0, 0.5, 2.0, -0.1))
    knobs = {**DIRECTION, "scale_parameter": scale, "form": form}
    matrix = run(gw.Adafactor, [steps[0] + 1], [[g] for g in steps], **knobs).last[0]
    vector = run(gw.Adafactor, [steps[0].ravel() + 1], [[g.ravel()] for g in steps], **knobs).last[0]
    np.testing.assert_allclose(matrix.ravel(), vector, rtol=1e-12)


def test_adafactor_of_a_vector_divides_by_a_mean_that_forgets_nothing_where_its_decay_is_one():
    """β₂ = 1 − 1 / t makes v the plain mean of all squares."""
    steps = [g for (g,) in gradients([(5,)], STEPS, 2)]
    found = run(gw.Adafactor, [np.zeros(5)], [[g] for g in steps], **DIRECTION, beta2_decay=-1.0).last[0]
    moved = sum(g / np.sqrt(np.mean(np.square(steps[: t + 1]), axis=0)) for t, g in enumerate(steps))
    np.testing.assert_allclose(found, -0.1 * moved, rtol=1e-12)


def test_adafactor_of_a_column_or_a_row_keeps_every_entry_apart():
    """One factor is then constant, so the estimate is exact."""
    steps = [g for (g,) in gradients([(5,)], STEPS, 2)]
    vector = run(gw.Adafactor, [np.ones(5)], [[g] for g in steps]).last[0]
    for shape in ((5, 1), (1, 5)):
        matrix = run(gw.Adafactor, [np.ones(shape)], [[g.reshape(shape)] for g in steps]).last[0]
        np.testing.assert_allclose(matrix.ravel(), vector, rtol=1e-12)


def test_lamb_makes_the_step_of_a_matrix_as_long_as_the_matrix():
    start, walk = normals([(4, 3)], 1), gradients([(4, 3)], STEPS, 2)
    at = [start[0], *(step[0] for step in run(gw.Lamb, start, walk, lr=0.1).history)]
    for before, after in pairwise(at):
        assert np.linalg.norm(after - before) == pytest.approx(0.1 * np.linalg.norm(before), rel=1e-12)


def test_tiger_of_a_matrix_of_one_row_is_the_same_embedding_or_not():
    start, walk = normals([(1, 6)], 1), gradients([(1, 6)], STEPS, 2)
    kernel, embedding = (run(gw.Tiger, start, walk, roles=[role], lr=0.1).last[0] for role in ("", "embedding"))
    np.testing.assert_allclose(kernel, embedding, rtol=1e-14)
