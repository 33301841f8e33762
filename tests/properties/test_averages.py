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


def test_x_stays_the_mean_of_all_z_while_a_schedule_cycles_beta():
    """OneCycleLR moves betas by default."""
    betas, z = [0.95, 0.85, 0.9, 0.7, 0.99], []
    walk = [[np.array([1.0, -2.0]) * (t + 1)] for t in range(5)]
    for count in range(1, 6):
        found = run(
            gw.ScheduleFreeAdamW, [[1.0, 2.0]], walk[:count], lr=0.1, changes=lambda t: {"betas": (betas[t - 1], 0.9)}
        )
        z.append(found.state("schedule_free.z"))
        np.testing.assert_allclose(evaluated(found), np.mean(z, axis=0), rtol=1e-12)


def test_schedule_free_plus_divides_by_an_average_that_is_corrected_once():
    """The authors' code goes on from the corrected average: its second step would be 1 - b² times as long."""
    walk, losses = [[[2.0, -1.0]]] * 6, [2.0] * 6
    plain, averaged = (
        run(gw.ScheduleFreePlus, [[1.0, 2.0]], walk, losses=losses, polyak_beta=b).history for b in (0.0, 0.75)
    )
    np.testing.assert_allclose(averaged, plain, rtol=1e-12)


def test_a_momentum_is_pulled_back_in_every_cycle():
    """In the authors' code the slow momentum is the momentum itself after the first cycle."""
    walk = [[[1.0]], [[2.0]], [[3.0]], [[4.0]]]
    knobs = {"lr": 0.1, "momentum": 0.5, "k": 2, "alpha": 0.25, "pullback_momentum": "pullback"}
    found = run(gw.lookahead(gw.SGD), [[0.0]], walk, **knobs)
    first = 0.25 * (0.5 * 1 + 2)
    after = 0.5 * (0.5 * first + 3) + 4
    assert found.optimizer.state[found.params[0]]["pull_back.slow"].item() == pytest.approx(
        first + 0.25 * (after - first), rel=1e-14
    )


def test_schedule_free_plus_follows_x_while_beta_anneals():
    knobs = {"sf_beta1": 0.5, "sf_beta1_max": 0.9, "sf_beta1_anneal_steps": 3.0, "weight_lr_power": 0.0}
    walk, z = [[np.array([1.0, -2.0]) * (t + 1)] for t in range(5)], []
    for count in range(1, 6):
        found = run(gw.ScheduleFreePlus, [[1.0, 2.0]], walk[:count], losses=[2.0] * count, **knobs)
        z.append(found.state("polyak_schedule_free.z"))
        np.testing.assert_allclose(evaluated(found), np.mean(z, axis=0), rtol=1e-12)


@pytest.mark.parametrize("inner", [gw.AdamW, gw.Adafactor, gw.ADOPT, gw.Muon])
def test_the_wrapper_refuses_what_has_a_momentum_or_no_learning_rate_at_its_end(inner):
    with pytest.raises(ValueError, match=r"remembers earlier gradients|not with Scale"):
        gw.schedule_free(inner)


def test_the_wrapper_switches_the_recipes_own_momentum_off_and_keeps_no_buffer_for_it():
    for recipe in (gw.NSGDA, gw.Signum, gw.Lars):
        found = run(gw.schedule_free(recipe), [[1.0, 2.0]], [[[0.3, -0.1]]])
        assert set(found.optimizer.state[found.params[0]]) == {
            "step",
            *(f"schedule_free.{name}" for name in ("z", "weight_sum", "size_max", "share")),
        }
    with pytest.raises(ValueError, match="take ScheduleFreeNorMuon"):
        gw.schedule_free(gw.Muon)
    with pytest.raises(ValueError, match="the recipe ends with ScheduleFree, not with"):
        gw.schedule_free(gw.ScheduleFreeSGD)


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


RECIPES = {
    gw.ScheduleFreeSGD: {"lr": 0.1},
    gw.ScheduleFreeRAdam: {"lr": 0.1, "silent_sgd_phase": False},
    gw.ScheduleFreePlus: {"loss": True},
    gw.DoG: {"reps_rel": 0.1},
    gw.schedule_free(gw.SGD): {"lr": 0.1},
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.recipe_name)
@given(g=arrays(shapes(0, 2)))
def test_every_method_that_averages_brings_the_weights_back(recipe, g):
    knobs = dict(RECIPES[recipe])
    losses = [2.0, 1.5, 1.0] if knobs.pop("loss", False) else None
    walk = run(recipe, [g], [[g], [g + 1], [-g]], losses=losses, **knobs)
    before = walk.params[0].detach().clone()
    walk.optimizer.eval()
    assert not torch.equal(walk.params[0], before)
    walk.optimizer.train()
    assert torch.equal(walk.params[0], before)


def test_a_lower_floor_of_the_loss_lengthens_polyaks_step():
    steps = [
        1 - run(gw.ScheduleFreePlus, [[1.0]], [[[1.0]]], losses=[2.0], f_star=floor).last[0].item()
        for floor in (-2.0, 0.0, 1.0, 3.0)
    ]
    np.testing.assert_allclose(steps, np.array([4.0, 2.0, 1.0, 0.0]) / np.sqrt(np.pi / 2), rtol=1e-7)


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


def test_the_slow_momentum_is_a_copy():
    """As an alias of the fast one it would make the second return, and all later ones, do nothing."""
    walk = run(
        gw.lookahead(gw.SGD), [0.0], [[1.0]] * 4, lr=1.0, momentum=0.5, k=2, alpha=0.5, pullback_momentum="pullback"
    )
    # m: 1, 1.5 → ½ · 1.5;  then 1.375, 1.6875 → ½ (1.6875 + 0.75)
    assert walk.state("pull_back.slow") == pytest.approx(1.21875)
    assert walk.state("pull_back.of.m") == pytest.approx(1.21875)


def test_a_momentum_that_is_not_there_cannot_go_back():
    leaf = [torch.zeros(1, requires_grad=True)]
    with pytest.raises(ValueError, match="pullback_momentum='reset' needs a momentum"):
        gw.lookahead(gw.SGD)(leaf, pullback_momentum="reset")
    with pytest.raises(ValueError, match="pullback_momentum='back' is unknown"):
        gw.lookahead(gw.SGD)(leaf, pullback_momentum="back")


def test_the_wrapper_offers_its_own_momentum_only():
    wrapped = gw.schedule_free(gw.SGD)
    assert wrapped.spec.defaults["momentum"] == 0.9
    assert not {"dampening", "nesterov"} & wrapped.spec.defaults.keys()
    with pytest.raises(TypeError, match="nesterov"):
        wrapped([torch.zeros(1, requires_grad=True)], nesterov=True)
