"""Regularisers: one mean for all parameters, bounds that hold, masks, and the place of decay."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from gradwright.core import ParamSpec, chain
from gradwright.transforms import CautiousDecay, Constrain, NormLoss, Scale, StableDecay
from tests.families.worked import V0, W0, G, H
from tests.properties.acting import act
from tests.properties.draws import arrays, shapes
from tests.reference.conditioning import per_unit
from tests.reference.regularised import adams_together, size_of
from tests.runs import gradients, normals, run

SHAPES = ((4, 3), (5,), (), (2, 3, 4))
ENGINES = ("eager", "cpp")
HELD = {"kappa_init_method": "dependent", "kappa_init_param": 0.9}


def trained(groups, steps, engine, recipe, starts=None, **knobs):
    params = [torch.nn.Parameter(torch.tensor(start)) for start in starts or normals(SHAPES, seed=5)]
    settings = [{"params": [params[i] for i in group], **extra} for group, extra in groups]
    optimizer = recipe(settings, engine=engine, **knobs)
    for step in steps:
        for param, g in zip(params, step):
            param.grad = None if g is None else torch.tensor(g)
        optimizer.step()
    return [param.detach().numpy() for param in params]


def test_adams_has_its_worked_numbers():
    walk = run(gw.AdamS, [W0, V0], list(zip(G, H)), lr=0.1, weight_decay=0.01)
    expected = [[0.9141278787, 2.0698204734], [2.7521851446, 3.8176945634]], [0.8452977641, -2.1539624701]
    for found, numbers in zip(walk.last, expected):
        np.testing.assert_allclose(found, numbers, rtol=0, atol=1e-8)


def test_the_moment_is_not_divided_again_at_every_step():
    """Another library divides v in place, so that its decay fades: g = 1 for six steps gives 0.8953 there."""
    # the decay is far below rounding, so the steps are Adam's
    last = run(gw.AdamS, [[1.0]], [[[1.0]]] * 6, lr=0.1, weight_decay=0.0).history
    np.testing.assert_allclose([step[0][0] for step in last], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], rtol=1e-7)
    roots = []
    for count in (1, 2, 3):
        walk = run(gw.AdamS, [W0, V0], list(zip(G, H))[:count], lr=0.1)
        squares = [walk.state("precondition.v", i) / (1 - 0.999**count) for i in (0, 1)]
        roots.append(math.sqrt(sum(v.sum() for v in squares) / 6))
    np.testing.assert_allclose(roots, [0.3055050463, 0.2633685912, 0.2513568651], rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_one_mean_runs_over_all_groups(engine, amsgrad):
    steps = gradients(SHAPES, 8, seed=6)
    groups = [([0, 1], {"lr": 0.1}), ([2], {"lr": 0.3, "weight_decay": 0.0}), ([3], {"lr": 0.01})]
    found = trained(groups, steps, engine, gw.AdamS, weight_decay=0.05, amsgrad=amsgrad)
    knobs = {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": amsgrad}
    expected, states = normals(SHAPES, seed=5), [{} for _ in SHAPES]
    for step in steps:
        # every tensor's step is taken from a run with its own settings, over the gradients of all
        moves = []
        for index, (lr, decay) in enumerate([(0.1, 0.05), (0.1, 0.05), (0.3, 0.0), (0.01, 0.05)]):
            copies = [dict(state) for state in states]
            moves.append(adams_together(copies, expected, step, lr=lr, weight_decay=decay, **knobs)[index])
        states, expected = copies, moves
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_parameters_and_groups_plays_no_part(engine, order):
    steps = gradients(SHAPES, 6, seed=7)
    one = trained([([0, 1, 2, 3], {})], steps, engine, gw.AdamS, lr=0.1, weight_decay=0.1)
    other = trained([([i], {}) for i in order], steps, engine, gw.AdamS, lr=0.1, weight_decay=0.1)
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_zeros_beside_raise_the_decay_and_missing_gradients_do_not():
    steps = gradients(SHAPES, 3, seed=8)
    knobs = {"lr": 0.01, "weight_decay": 0.1}
    full = trained([([0, 1, 2, 3], {})], [[*step[:3], 0 * step[3]] for step in steps], "eager", gw.AdamS, **knobs)
    missing = trained([([0, 1, 2, 3], {})], [[*step[:3], None] for step in steps], "eager", gw.AdamS, **knobs)
    alone = trained([([0, 1, 2], {})], steps, "eager", gw.AdamS, **knobs)
    for with_zeros, without, expected in zip(full[:3], missing, alone):
        np.testing.assert_array_equal(without, expected)
        assert np.linalg.norm(with_zeros) < np.linalg.norm(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_zero_decay_nothing_and_tiny_ones_not_beyond_zero(engine):
    starts = normals(SHAPES, seed=5)
    zero = [[np.zeros_like(start) for start in starts]] * 3
    for found, start in zip(trained([([0, 1, 2, 3], {})], zero, engine, gw.AdamS, weight_decay=0.1), starts):
        np.testing.assert_array_equal(found, start)
    tiny = [[np.full_like(start, 1e-12) for start in starts]]
    for found, start in zip(trained([([0, 1, 2, 3], {})], tiny, engine, gw.AdamS, weight_decay=0.1), starts):
        assert (np.abs(found) <= 1e-3).all(), start


def test_stable_decay_needs_a_moment():
    with pytest.raises(ValueError, match="StableDecay"):
        chain(StableDecay(0.1), Scale(0.1)).check(ParamSpec((2,)))


def test_stable_decay_of_sgd_does_not_depend_on_momentum():
    """With gradients of zero, decay alone: by (1 − d) / (1 − μ) a step."""
    zero = [[np.zeros(3)]] * 2
    for momentum, dampening, factor in ((0.9, 0.0, 10.0), (0.5, 0.5, 1.0), (0.0, 0.0, 1.0)):
        knobs = {"lr": 0.1, "weight_decay": 0.01, "momentum": momentum, "dampening": dampening}
        last = run(gw.SGDS, [np.ones(3)], zero, **knobs).last[0]
        np.testing.assert_allclose(last, (1 - 0.1 * 0.01 * factor) ** 2, rtol=1e-14)
    with pytest.raises(ValueError, match=r"dampening=1\.5"):
        gw.SGDS([torch.ones(2, requires_grad=True)], momentum=0.9, dampening=1.5)


@pytest.mark.parametrize("measure", ["l2", "l1", "std", "huber"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.8])
def test_a_bound_far_below_neither_flips_nor_grows_the_weights(measure, share):
    """The authors' code multiplies W0 by −1.4, −18.7, −10305, ... where the bound is 0.8 of its size."""
    start = np.array(W0, dtype=float)
    steps = [[0.01 * np.array(g)] for g in G * 20]
    knobs = {"lr": 1e-3, "kappa_init_method": "dependent", "kappa_init_param": share, "reg_function": measure}
    history = [start, *(step[0] for step in run(gw.AdamCPR, [start], steps, **knobs).history)]
    sizes = [size_of(p, measure) for p in history]
    assert max(sizes) <= sizes[0] * (1 + 1e-2)
    assert size_of(history[-1], measure) <= share * sizes[0] * 1.2 + 0.05
    centre = np.mean if measure == "std" else (lambda p: 0.0)
    # no entry crosses the centre by the pull: an Adam step of 1e-3 is all that may
    for before, after in pairwise(history):
        assert ((after - centre(before)) * (before - centre(before)) >= -2e-3 * np.abs(before).max()).all()


@given(seed=st.integers(0, 999))
def test_within_its_bound_a_constraint_does_nothing(seed):
    starts, steps = normals(((4, 3), (5,)), seed), gradients(((4, 3), (5,)), 10, seed)
    knobs = {"kappa_init_method": "uniform", "kappa_init_param": 1e6}
    held = run(gw.AdamCPR, starts, steps, lr=0.1, **knobs)
    plain = run(gw.Adam, starts, steps, lr=0.1)
    for one, other in zip(held.last, plain.last):
        np.testing.assert_array_equal(one, other)
    assert held.state("constrain.multiplier") == 0


def test_vectors_and_embeddings_are_not_constrained():
    starts = normals(((3, 4), (5,)), 1)
    held = run(gw.AdamCPR, starts, gradients(((3, 4), (5,)), 5, 1), roles=["embedding", ""], lr=0.1, **HELD)
    for param in held.params:
        assert not any("constrain" in key for key in held.optimizer.state[param])


def test_a_plain_list_of_parameters_is_constrained():
    """The authors' code regularises nothing unless it is given a module or its own groups."""
    starts, steps = normals(((4, 3),), 2), gradients(((4, 3),), 30, 2)
    held, plain = (run(recipe, starts, steps, lr=0.1, **knobs) for recipe, knobs in ((gw.AdamCPR, HELD), (gw.Adam, {})))
    assert np.abs(held.last[0] - plain.last[0]).max() > 1e-3
    assert np.linalg.norm(held.last[0]) < np.linalg.norm(plain.last[0])


def test_until_the_bound_is_set_even_large_tensors_are_left_alone():
    """The authors' code holds every tensor to 1000, its mark of a bound that is not set."""
    start = np.full((20, 20), 5.0)
    steps = [[0.01 * np.ones((20, 20))]] * 5
    found = run(gw.AdamCPR, [start], steps, lr=1e-3)
    np.testing.assert_array_equal(found.last[0], run(gw.Adam, [start], steps, lr=1e-3).last[0])


@pytest.mark.parametrize(
    "knobs",
    [{"kappa_init_method": "warm_start", "kappa_init_param": 3}, {"reg_step_size": 2}],
    ids=["warm start", "inflection point"],
)
def test_engines_set_and_hold_the_same_bounds(knobs):
    # outwards, then hardly any more: growth that slows
    outwards = [-start for start in normals(SHAPES, seed=5)]
    steps = [[g * (1.0 if t < 12 else 0.05) for g in outwards] for t in range(25)]
    one, other = (trained([([0, 1, 2, 3], {})], steps, engine, gw.AdamCPR, lr=0.03, **knobs) for engine in ENGINES)
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    plain = trained([([0, 1, 2, 3], {})], steps, "eager", gw.Adam, lr=0.03)
    assert np.abs(one[3] - plain[3]).max() > 1e-3


def bound_after(sizes, every=1):
    """κ of a tensor that is driven through the given sums of squares, or None."""
    part, state = Constrain(every=every), {}
    for step, size in enumerate(sizes, start=1):
        weights = [[math.sqrt(size)]]
        acted = act(part, [[0.0]], param=weights, state=state, step=float(step))
        state = {key: float(value) for key, value in acted.state.items()}
    return state["kappa"] or None


def test_the_inflection_point_is_where_growth_slows():
    rising = [1.0 + k + k * k for k in range(8)]
    assert bound_after(rising) is None
    # an average that gives a tenth to the newest follows the drop in growth with its next sample
    slowing = [*rising, rising[-1] + 1.0]
    assert bound_after(slowing) == pytest.approx(slowing[-1])


def test_the_inflection_point_is_not_looked_for_before_the_fourth_sample():
    falling = [10.0, 9.0, 5.0, 4.0, 3.5]
    assert bound_after(falling[:3]) is None
    sampled = [size for size in [1.0, 5.0, 6.0, 6.1] for _ in range(3)]
    assert bound_after(sampled[:11], every=3) is None
    assert bound_after(sampled, every=3) == pytest.approx(6.1)


def test_a_bound_is_set_once():
    sizes = [1.0, 5.0, 6.0, 6.1, 6.1, 6.0, 5.0]
    assert bound_after(sizes) == pytest.approx(6.1)


def test_settings_of_the_constraint_are_checked_by_name():
    for knobs, words in (
        ({"kappa_init_param": 2.0}, "kappa_init_param=2"),
        ({"kappa_init_method": "uniform"}, "kappa_init_method='uniform' needs"),
        ({"kappa_init_method": "warm_start", "kappa_init_param": 2.5}, "kappa_init_param=2.5"),
        ({"kappa_init_method": "other", "kappa_init_param": 1.0}, "'other'"),
        ({"reg_function": "l3"}, "'l3'"),
        ({"reg_step_size": 0}, "every=0"),
    ):
        with pytest.raises(ValueError, match=words):
            gw.AdamCPR([torch.ones(2, 2, requires_grad=True)], **knobs)


@given(u=arrays(shapes(1, 2)), seed=st.integers(0, 99))
def test_cautious_decay_never_works_against_the_step(u, seed):
    w = np.random.RandomState(seed).standard_normal(u.shape)
    added = act(CautiousDecay(0.3), u, param=w).u.numpy() - u
    agrees = u * w >= 0
    np.testing.assert_allclose(added[agrees], 0.3 * w[agrees], rtol=1e-9, atol=1e-12)
    assert (added[~agrees] == 0).all()


def test_cautious_decay_asks_for_signs_not_for_a_product_that_underflows():
    found = act(CautiousDecay(0.5), [1e-200, 1e-200], param=[-1e-200, 1e-200]).u.numpy()
    np.testing.assert_allclose(found, [1e-200, 1.5e-200], rtol=1e-12, atol=0)


@pytest.mark.parametrize("recipe", [gw.AdamW, gw.Lion, gw.NAdamW], ids=lambda recipe: recipe.recipe_name)
def test_without_decay_cautious_decay_is_the_recipe(recipe):
    starts, steps = normals(((4, 3), (5,)), 3), gradients(((4, 3), (5,)), 10, 3)
    found, plain = (run(one, starts, steps, weight_decay=0.0) for one in (gw.cautious_decay(recipe), recipe))
    for one, other in zip(found.last, plain.last):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("combine", [gw.cautious_decay, gw.decoupled], ids=lambda combine: combine.__name__)
def test_recipes_without_a_decoupled_decay_are_refused(combine):
    for recipe in (gw.SGD, gw.Adam):
        with pytest.raises(ValueError, match="weight decay"):
            combine(recipe)


@pytest.mark.parametrize("combine", [gw.cautious_decay, gw.decoupled], ids=lambda combine: combine.__name__)
@pytest.mark.parametrize("recipe", [gw.NAdam, gw.RAdam, gw.ADOPT], ids=lambda recipe: recipe.recipe_name)
def test_a_decay_that_is_decoupled_on_request_is_so_here(combine, recipe):
    assert combine(recipe).spec.defaults["decoupled_weight_decay"] is True
    with pytest.raises(ValueError, match="no decoupled weight decay"):
        combine(recipe)([torch.ones(2, 2, requires_grad=True)], decoupled_weight_decay=False)


def test_another_form_needs_a_decay_that_lr_follows():
    for recipe in (gw.Tiger, gw.ScheduleFreeAdamW, gw.ScheduleFreeSGD):
        with pytest.raises(ValueError, match="no other form"):
            gw.decoupled(recipe)


@pytest.mark.parametrize(
    ("knobs", "factor"),
    [
        ({"decay_form": "independent"}, lambda lr: 1 - 0.01),
        ({"decay_form": "independent", "peak_lr": 0.1}, lambda lr: 1 - lr / 0.1 * 0.01),
        ({"decay_form": "corrected", "peak_lr": 0.1}, lambda lr: 1 - lr * lr / 0.1 * 0.01),
        ({"decay_form": "after"}, lambda lr: 1 - lr * 0.01),
    ],
)
def test_each_form_follows_the_schedule_in_its_own_way(knobs, factor):
    rates = [0.1, 0.05, 0.01, 0.0]
    zero = [[np.zeros((2, 3))]] * 4
    changes = {"changes": lambda t: {"lr": rates[t - 1]}}
    for recipe in (gw.decoupled(gw.AdamW), gw.lookahead(gw.decoupled(gw.Lion))):
        last = run(recipe, [np.ones((2, 3))], zero, weight_decay=0.01, **knobs, **changes).last[0]
        np.testing.assert_allclose(last, math.prod(map(factor, rates)), rtol=1e-14)


def test_settings_of_the_decay_are_checked_by_name():
    for knobs, words in (
        ({"decay_form": "corrected"}, "needs peak_lr"),
        ({"decay_form": "after", "peak_lr": 0.1}, "peak_lr=0.1"),
        ({"peak_lr": 0.0}, "peak_lr=0"),
        ({"decay_form": "before"}, "'before'"),
    ):
        with pytest.raises(ValueError, match=words):
            gw.decoupled(gw.AdamW)([torch.ones(2, 2, requires_grad=True)], **knobs)


@given(w=arrays(shapes(2, 4)), strength=st.sampled_from([1e-3, 0.1, 0.4]))
def test_norm_loss_moves_every_unit_towards_length_one_and_keeps_its_direction(w, strength):
    moved = w - act(NormLoss(strength), np.zeros_like(w), param=w).u.numpy()
    before, after = per_unit(w, np.linalg.norm), per_unit(moved, np.linalg.norm)
    assert (np.abs(after - 1) <= np.abs(before - 1) + 1e-12).all()
    np.testing.assert_allclose(moved / after, w / before, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 1, 5), (3, 2, 4), (2, 2, 3, 3)])
def test_a_kernel_of_any_number_of_dimensions_is_one_unit_for_each_output(shape):
    """Published ports regularise each column of a one-dimensional kernel apart."""
    [w] = normals((shape,), 1)
    flat = w.reshape(shape[0], -1)
    expected = act(NormLoss(0.2), np.zeros_like(flat), param=flat).u.numpy().reshape(shape)
    np.testing.assert_allclose(act(NormLoss(0.2), np.zeros(shape), param=w).u.numpy(), expected, rtol=1e-14)


def test_weights_near_zero_are_not_thrown_far():
    """A port's factor on a unit of length 1e-8 is 1e6; ours is at most 1 + 2 λ / δ."""
    w = np.full((1, 4), 0.5e-8)
    moved = w - act(NormLoss(0.01), np.zeros_like(w), param=w).u.numpy()
    np.testing.assert_allclose(moved / w, 1 + 0.02 * (1e3 - 1), rtol=1e-12)
    assert (act(NormLoss(0.01), np.zeros((1, 4)), param=0.0).u.numpy() == 0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_norm_loss_regularises_every_tensor_of_a_group(engine):
    """A published optimizer regularises the last tensor of each group alone."""
    shapes = ((4, 3), (2, 5), (2, 3, 4))
    starts = normals(shapes, 5)
    steps = [[np.zeros(shape) for shape in shapes]] * 2
    groups = [([0, 1, 2], {})]
    found = trained(groups, steps, engine, gw.norm_regularized(gw.SGD), starts, lr=0.1, norm_strength=0.3)
    for end, start in zip(found, starts):
        assert np.abs(end - start).max() > 1e-3
