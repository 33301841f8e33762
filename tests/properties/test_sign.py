"""Sign methods: every entry moves by the same amount, and Tiger's micro-steps, NaNs and roles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.properties.draws import arrays, shapes
from tests.runs import run

NAN = float("nan")
LR = 2.0**-7  # a power of two, so that sums of steps are exact


def with_zeros(g):
    """Some entries never get a gradient."""
    return np.where(np.abs(g) < 0.3, 0.0, g)


@given(g=arrays(shapes(0, 3)), betas=st.sampled_from([(0.9, 0.99), (0.95, 0.98), (0.0, 0.5)]))
def test_lion_moves_every_entry_by_lr_or_not_at_all(g, betas):
    g = with_zeros(g)
    first, second = run(gw.Lion, [0 * g], [[g], [-g]], lr=LR, betas=betas).history
    assert np.array_equal(first[0], -LR * np.sign(g))
    assert np.array_equal(np.abs(second[0] - first[0]), LR * (g != 0))


@given(g=arrays(shapes(2, 3)))
def test_tiger_moves_every_entry_by_lr_times_the_size_of_the_matrix(g):
    g = with_zeros(g)
    start = 4.0 * np.sign(g + (g == 0))  # all entries 4 or -4, so the size is 4
    moved = run(gw.Tiger, [start], [[g]], lr=LR, weight_decay=0).last[0] - start
    np.testing.assert_allclose(moved, -4 * LR * np.sign(g), rtol=1e-14)


@given(g=arrays(shapes(2, 2)))
def test_tiger_measures_an_embedding_row_by_row(g):
    sizes = 2.0 ** np.arange(len(g))[:, None]
    start = sizes * np.sign(g)
    moved = run(gw.Tiger, [start], [[g]], roles=["embedding"], lr=LR, weight_decay=0).last[0] - start
    np.testing.assert_allclose(moved, -sizes * LR * np.sign(g), rtol=1e-14)


@pytest.mark.parametrize("role", ["", "bias", "gain"])
@given(g=arrays(shapes(0, 1)))
def test_tiger_moves_vectors_by_half_of_lr_and_never_decays_them(role, g):
    g, start = with_zeros(g), 3.0 * g
    moved = run(gw.Tiger, [start], [[g]], roles=[role], lr=LR, weight_decay=0.5).last[0] - start
    np.testing.assert_allclose(moved, -0.5 * LR * np.sign(g), rtol=0, atol=1e-13 * np.abs(start).max())


@pytest.mark.parametrize("role", ["bias", "gain", "embedding bias", "matrix gain"])
def test_the_role_of_a_bias_or_a_gain_wins_over_its_shape(role):
    g = np.ones((2, 3))
    assert np.array_equal(
        run(gw.Tiger, [9 * g], [[g]], roles=[role], lr=LR, weight_decay=0.5).last[0], (9 - LR / 2) * g
    )


def test_a_matrix_decays_and_a_matrix_of_zeros_moves_by_the_floor():
    g = np.ones((2, 2))
    decayed = run(gw.Tiger, [2 * g], [[0 * g]], lr=LR, weight_decay=0.5).last[0]
    assert np.array_equal(decayed, (2 - LR * 2 * 0.5 * 2) * g)
    assert np.array_equal(run(gw.Tiger, [0 * g], [[g]], lr=LR, floor=0.25).last[0], -LR / 4 * g)
    assert np.array_equal(run(gw.Tiger, [0 * g], [[g]], lr=LR, floor=0.0).last[0], 0 * g)


@given(g=arrays(shapes(1, 3)), k=st.integers(1, 5))
def test_k_micro_steps_are_one_step_on_the_mean_gradient(g, k):
    micro = [g * (1 + t) - 0.1 * t * g**2 for t in range(3 * k)]
    means = [np.mean(micro[at : at + k], axis=0) for at in range(0, 3 * k, k)]
    gathered = run(gw.Tiger, [g], [[g] for g in micro], lr=LR, accumulate=k)
    plain = run(gw.Tiger, [g], [[g] for g in means], lr=LR)
    np.testing.assert_allclose(
        gathered.state("accumulating_ema.m"), plain.state("accumulating_ema.m"), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(gathered.last[0], plain.last[0], rtol=1e-12)
    still = [np.array_equal(a[0], b[0]) for a, b in zip(gathered.history, gathered.history[1:])]
    assert still == [(t + 1) % k != 0 for t in range(1, 3 * k)]


@given(g=arrays(shapes(1, 3)), k=st.integers(1, 3))
def test_a_micro_step_with_a_nan_leaves_the_memory_as_it_was(g, k):
    broken = np.where(np.arange(g.size).reshape(g.shape) == 0, NAN, g)
    clean = run(gw.Tiger, [g], [[g]] * k, lr=LR, accumulate=k)
    after = run(gw.Tiger, [g], [[g]] * k + [[broken]], lr=LR, accumulate=k)
    assert np.array_equal(after.state("accumulating_ema.m"), clean.state("accumulating_ema.m"))
    np.testing.assert_allclose(after.last[0], 0.99 * clean.last[0], rtol=1e-14)


def test_a_nan_shrinks_its_own_tensor_only_and_gains_towards_one():
    start = np.full(2, 3.0)
    step = [[[NAN, 1.0], [NAN, 1.0], [1.0, 1.0]]]
    bias, gain, other = run(gw.Tiger, [start] * 3, step, roles=["bias", "gain", "bias"], lr=LR, shrink=0.5).last
    assert np.array_equal(bias, [1.5, 1.5])
    assert np.array_equal(gain, [2.0, 2.0])
    assert np.array_equal(other, start - LR / 2)


def test_an_infinity_is_not_a_nan():
    """It has a sign, and the memory keeps it, as in the author's code."""
    walk = run(gw.Tiger, [np.zeros(2)], [[[np.inf, 1.0]]], lr=LR)
    assert np.array_equal(walk.last[0], [-LR / 2, -LR / 2])


def test_a_lazy_tiger_leaves_rare_tokens_where_they_are():
    """A row without a gradient otherwise walks on by the sign of an old momentum, as fast as any other."""
    start = np.ones((3, 4))
    rare = np.array([[1.0] * 4, [0.0] * 4, [1.0, 0.0, 0.0, 0.0]])
    walk = [[np.ones((3, 4))]] + [[rare]] * 5
    knobs = {"lr": LR, "weight_decay": 0.0}
    lazy = run(gw.Tiger, [start], walk, roles=["embedding"], lazy=True, **knobs).history
    plain = run(gw.Tiger, [start], walk, roles=["embedding"], **knobs).history
    assert np.array_equal(lazy[-1][0][1], lazy[0][0][1])
    assert np.array_equal(lazy[-1][0][[0, 2]], plain[-1][0][[0, 2]])
    assert (np.abs(plain[-1][0][1] - plain[0][0][1]) > 4 * LR).all()
    kernel = run(gw.Tiger, [start], walk, lazy=True, **knobs).last[0]
    assert np.array_equal(kernel, run(gw.Tiger, [start], walk, **knobs).last[0])
