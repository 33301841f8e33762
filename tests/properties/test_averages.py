"""Averages of weights: schedule-free learning and Lookahead."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.properties.draws import arrays, shapes
from tests.runs import run

KNOBS = {"lr": 0.1, "betas": (0.9, 0.9)}


def evaluated(walk):
    with walk.optimizer.evaluating():
        return walk.params[0].detach().numpy().copy()


@given(
    g=arrays(shapes(0, 2)),
    r=st.sampled_from([0.0, 0.75]),
    power=st.sampled_from([0.0, 1.0, 2.0]),
    warmup=st.sampled_from([0.0, 3.0]),
)
def test_x_is_the_weighted_mean_of_all_z(g, r, power, warmup):
    knobs = {**KNOBS, "r": r, "weight_lr_power": power, "warmup_steps": warmup}
    rates = [0.1, 0.3, 0.2, 0.05, 0.4, 0.1]
    z, weights, largest = [], [], 0.0
    for t, rate in enumerate(rates, start=1):
        walk = run(
            gw.ScheduleFreeAdamW,
            [g],
            [[(-1) ** i * g + i] for i in range(t)],
            **knobs,
            changes=lambda t: {"lr": rates[t - 1]},
        )
        z.append(walk.state("schedule_free.z"))
        largest = max(largest, rate * min(1.0, t / max(warmup, 1.0)))
        weights.append(t**r * largest**power)
        np.testing.assert_allclose(evaluated(walk), np.average(z, axis=0, weights=weights), rtol=1e-9, atol=1e-11)


@given(g=arrays(shapes(0, 2)))
def test_the_first_step_forgets_the_start_so_all_three_sequences_meet(g):
    """c = 1 at the first step."""
    walk = run(gw.ScheduleFreeAdamW, [5 + g], [[g]], **KNOBS)
    for sequence in (evaluated(walk), walk.state("schedule_free.z")):
        np.testing.assert_allclose(sequence, walk.last[0], rtol=1e-14)


@given(g=arrays(shapes(0, 2)), dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]))
def test_eval_and_train_bring_the_weights_back_bit_for_bit(g, dtype):
    walk = run(gw.ScheduleFreeAdamW, [g], [[g], [g + 1], [-g]], dtype=dtype, **KNOBS)
    before = walk.params[0].detach().clone()
    walk.optimizer.eval()
    assert not torch.equal(walk.params[0], before)
    walk.optimizer.train()
    assert torch.equal(walk.params[0], before)


def test_a_learning_rate_of_zero_leaves_all_sequences_alone():
    """Then no weight has been gathered, and c is 0 rather than 0 / 0."""
    walk = run(gw.ScheduleFreeAdamW, [[1.0, 2.0]], [[[1.0, -1.0]]] * 2, lr=0.0)
    assert np.array_equal(walk.last[0], [1, 2])
    assert np.array_equal(evaluated(walk), [1, 2])


@given(g=arrays(shapes(0, 2)), k=st.integers(1, 4), alpha=st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_lookahead_leaves_the_fast_weights_alone_until_they_meet_the_slow_ones(g, k, alpha):
    walk = run(gw.lookahead(gw.SGD), [g], [[g + t] for t in range(2 * k)], lr=0.1, k=k, alpha=alpha)
    slow, fast = g, g
    for t, at in enumerate(walk.history):
        fast = fast - 0.1 * (g + t)
        if (t + 1) % k == 0:
            fast = slow = slow + alpha * (fast - slow)
        np.testing.assert_allclose(at[0], fast, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(walk.state("lookahead.slow"), walk.last[0], rtol=1e-13)


def test_tensors_that_join_late_meet_at_the_same_step():
    """The cycle is the optimizer's; the slow weights start where the tensor stands at its own first step."""
    steps = [[1.0, None], [1.0, None], [1.0, 1.0], [1.0, 1.0]]
    walk = run(gw.lookahead(gw.SGD), [0.0, 10.0], steps, lr=1.0, k=4)
    assert walk.last[0] == pytest.approx(-2.0)
    assert walk.last[1] == pytest.approx(9.0)


@pytest.mark.parametrize("inner", [gw.AdamW, gw.Lion])
def test_lookahead_keeps_the_state_of_the_recipe_inside(inner):
    steps = [[[1.0, -2.0]], [[0.5, 3.0]]]
    plain, around = run(inner, [[1.0, 1.0]], steps), run(gw.lookahead(inner), [[1.0, 1.0]], steps, k=1)
    for key in plain.optimizer.state[plain.params[0]]:
        assert np.array_equal(plain.state(key), around.state(key))
