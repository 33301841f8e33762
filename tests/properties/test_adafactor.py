"""Adafactor: what its factored moment and its clip promise."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.properties.draws import arrays, shapes
from tests.runs import gradients, normals, run

DIRECTION = {"lr": 1.0, "relative_step": False, "scale_parameter": False}
MATRICES = shapes(2, 2, 6)


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


@given(g=arrays(shapes(2, 4)), form=st.sampled_from(["paper", "torch"]))
def test_rows_and_columns_have_the_same_mean(g, form):
    walk = run(gw.Adafactor, [g], [[g], [g**2], [-0.1 * g]], form=form)
    row, column = walk.state("precondition.row"), walk.state("precondition.column")
    assert row.mean() == pytest.approx(column.mean(), rel=1e-12)


@given(g=arrays(shapes(0, 4)), d=st.sampled_from([0.1, 1.0, 3.0]))
def test_an_update_is_never_larger_than_the_threshold(g, d):
    steps = [g, 30 * g, 0.1 * g**2, -20 * g]
    at = [
        np.zeros_like(g),
        *(step[0] for step in run(gw.Adafactor, [0 * g], [[g] for g in steps], d=d, **DIRECTION).history),
    ]
    assert all(rms(after - before) <= d * (1 + 1e-12) for before, after in pairwise(at))


@given(g=arrays(MATRICES), p=arrays(st.just((1,))), form=st.sampled_from(["paper", "torch"]))
def test_the_transposed_problem_has_the_transposed_solution(g, p, form):
    start, steps = p * g**2, [g, -(g**2), 3 * g]
    plain = run(gw.Adafactor, [start], [[g] for g in steps], form=form).last[0]
    transposed = run(gw.Adafactor, [start.T], [[g.T] for g in steps], form=form).last[0]
    np.testing.assert_allclose(transposed, plain.T, rtol=1e-12)


@given(g=arrays(shapes(3, 3)))
def test_torchs_form_factors_each_matrix_of_a_stack_for_itself(g):
    """Up to the clip, which sees the whole tensor."""
    knobs = {"form": "torch", "d": 1e9, **DIRECTION, "lr": 0.0}
    together = run(gw.Adafactor, [g], [[g], [g**2]], **knobs)
    for index, matrix in enumerate(g):
        apart = run(gw.Adafactor, [matrix], [[matrix], [matrix**2]], **knobs)
        for key in ("precondition.row", "precondition.column"):
            np.testing.assert_allclose(together.state(key)[index], apart.state(key), rtol=1e-12)


@given(kernel=st.sampled_from([(8, 6, 3, 3), (6, 8, 3, 3), (5, 4, 2), (9, 2, 3, 4)]))
def test_a_convolution_keeps_little_because_its_largest_dimensions_are_factored(kernel):
    walk = run(gw.Adafactor, normals([kernel], 1), gradients([kernel], 1, 2))
    kept = walk.state("precondition.row").size + walk.state("precondition.column").size
    first, second, *rest = sorted(kernel, reverse=True)
    assert kept == (first + second) * int(np.prod(rest))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("form", ["paper", "torch"])
def test_a_dead_row_and_a_dead_column_stay_finite_and_still(dtype, form):
    """Their product underflows, and 0 · ∞ would be NaN."""
    g = [[0.0, 0.0], [0.0, 1.0]]
    moved = run(gw.Adafactor, [np.ones((2, 2))], [[g]] * 3, dtype=dtype, form=form).last[0] - 1
    assert np.isfinite(moved).all()
    assert (moved.ravel()[:3] == 0).all()
    assert moved[1, 1] < 0


def test_a_gradient_of_zeros_does_not_move_anything():
    assert np.array_equal(run(gw.Adafactor, [np.ones((2, 3))], [[np.zeros((2, 3))]] * 2).last[0], np.ones((2, 3)))


def test_a_tensor_of_zeros_moves_by_the_floor():
    moved = run(gw.Adafactor, [np.zeros(4)], [[np.ones(4)]], eps=(1e-30, 1e-3)).last[0]
    np.testing.assert_allclose(moved, -1e-2 * 1e-3, rtol=1e-12)


def test_a_matrix_of_rank_one_squares_is_divided_by_its_own_size():
    """There the factored estimate is exact, so the first step has the size of the relative step everywhere."""
    g = np.outer([1.0, -2.0, 0.5], [3.0, 0.1])
    moved = run(gw.Adafactor, [np.zeros_like(g)], [[g]], **DIRECTION).last[0]
    np.testing.assert_allclose(moved, -np.sign(g), rtol=1e-12)


def test_a_threshold_of_zero_would_stop_everything_and_is_refused():
    with pytest.raises(ValueError, match="threshold=0 is outside"):
        run(gw.Adafactor, [np.ones(2)], [[np.ones(2)]], d=0.0)
