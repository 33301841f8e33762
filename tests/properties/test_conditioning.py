"""Conditions on the gradient: what they bound, what they leave alone, and one norm for all parameters."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from gradwright.core import ParamSpec
from gradwright.core.transform import walk
from gradwright.transforms import Centralize, ClipUnits, ClipValue, SoftClip
from tests.properties.acting import act
from tests.properties.draws import arrays, scales, shapes
from tests.reference.conditioning import clipped_together, per_unit
from tests.runs import gradients, normals, run

SHAPES = ((4, 3), (5,), (), (2, 3, 4))
ENGINES = ("eager", "cpp")


def conditioned(part, g, w, role=""):
    return act(part, g, param=w, role=role).u.numpy()


@given(g=arrays(shapes(0, 4)), seed=st.integers(0, 99), size=scales)
@pytest.mark.parametrize(
    "part", [Centralize(), ClipUnits(0.1), SoftClip(0.3, smooth=False), ClipValue(0.2)], ids=lambda part: str(part)
)
def test_what_is_conditioned_stays_as_it_is(part, g, seed, size):
    w = np.random.RandomState(seed).standard_normal(g.shape)
    once = conditioned(part, size * g, w)
    np.testing.assert_allclose(conditioned(part, once, w), once, rtol=1e-12, atol=1e-14 * size)


@given(g=arrays(shapes(0, 4)), seed=st.integers(0, 99), size=scales)
def test_no_unit_is_longer_than_its_share(g, seed, size):
    w = np.random.RandomState(seed).standard_normal(g.shape)
    found = conditioned(ClipUnits(0.1), size * g, w)
    limit = 0.1 * np.maximum(per_unit(w, np.linalg.norm), 1e-3)
    assert (per_unit(found, np.linalg.norm) <= limit * (1 + 1e-12)).all()
    short = per_unit(size * g, np.linalg.norm) <= limit
    assert (np.broadcast_to(short, g.shape) <= (found == size * g)).all()


@given(g=arrays(shapes(0, 4)), seed=st.integers(0, 99))
def test_the_smooth_clip_passes_small_gradients_bounds_large_ones_and_keeps_directions(g, seed):
    w = np.random.RandomState(seed).standard_normal(g.shape)
    np.testing.assert_allclose(conditioned(SoftClip(), 1e-9 * g, w), 1e-9 * g, rtol=1e-9)
    limit = np.maximum(per_unit(w, lambda x: np.sqrt(np.mean(x**2))), 1e-3)
    large = conditioned(SoftClip(), 1e9 * g, w)
    np.testing.assert_allclose(per_unit(large, lambda x: np.sqrt(np.mean(x**2))), limit, rtol=1e-6)
    assert (np.sign(large) == np.sign(g)).all()


@pytest.mark.parametrize("shape", [(2, 1, 5), (3, 2, 4), (2, 2, 3, 3), (2, 2, 2, 2, 2)])
@pytest.mark.parametrize("part", [ClipUnits(0.01), SoftClip(0.01), Centralize()], ids=lambda part: str(part))
def test_a_kernel_of_any_number_of_dimensions_is_one_unit_for_each_output(shape, part):
    """Another library reduces one dimension of three and conditions each tap of a one-dimensional kernel apart."""
    w, g = normals((shape, shape), seed=1)
    flat = (shape[0], math.prod(shape[1:]))
    expected = conditioned(part, g.reshape(flat), w.reshape(flat)).reshape(shape)
    np.testing.assert_allclose(conditioned(part, g, w), expected, rtol=1e-13)


def test_weights_of_zero_move_up_to_the_floor():
    g = np.full((2, 3), 20.0)
    for part in (ClipUnits(1.0), SoftClip(), SoftClip(smooth=False)):
        assert (conditioned(part, g, np.zeros((2, 3))) > 1e-4).all()


def test_under_gradient_descent_centralised_rows_keep_their_sum():
    starts = normals(((4, 3), (2, 3, 2, 2), (5,)), seed=3)
    steps = gradients([start.shape for start in starts], 20, seed=4)
    last = run(gw.centralized(gw.SGD), starts, steps, lr=0.1, momentum=0.9, nesterov=True).last
    for start, end in zip(starts[:2], last):
        sums = [x.reshape(len(x), -1).sum(axis=1) for x in (start, end)]
        np.testing.assert_allclose(*sums, rtol=1e-12)
        assert np.abs(start - end).max() > 0.1
    plain = run(gw.SGD, starts, steps, lr=0.1, momentum=0.9, nesterov=True).last
    np.testing.assert_array_equal(plain[2], last[2])


def test_convolutions_alone_are_centralised_on_request():
    spec = {shape: ParamSpec(shape) for shape in ((4, 3), (2, 3, 2, 2))}
    assert [Centralize("convolution").applies(spec[shape]) for shape in spec] == [False, True]


def test_complex_matrices_are_not_centralised():
    with pytest.raises(ValueError, match=r"CentralizedAdamW.*parameter 0.*complex"):
        gw.centralized(gw.AdamW)([torch.ones(3, 2, dtype=torch.complex64, requires_grad=True)])


def test_the_head_is_left_out_of_adaptive_clipping():
    w, g = np.ones((2, 3)), np.full((2, 3), 9.0)
    assert (conditioned(ClipUnits(), g, w, role="head") == g).all()
    assert (conditioned(ClipUnits(only="*"), g, w, role="head") < g).all()


def trained(groups, steps, engine, recipe=None, **knobs):
    """Parameters after some steps; ``groups`` are lists of indices."""
    starts = normals(SHAPES, seed=5)
    params = [torch.nn.Parameter(torch.tensor(start)) for start in starts]
    settings = [{"params": [params[i] for i in group], **extra} for group, extra in groups]
    optimizer = (recipe or gw.clipped(gw.SGD))(settings, engine=engine, **knobs)
    for step in steps:
        for param, g in zip(params, step):
            param.grad = None if g is None else torch.tensor(g)
        optimizer.step()
    return [param.detach().numpy() for param in params]


@pytest.mark.parametrize("engine", ENGINES)
def test_one_norm_runs_over_all_groups(engine):
    steps = gradients(SHAPES, 6, seed=6)
    found = trained([([0, 1], {"lr": 0.1}), ([2], {"lr": 0.3}), ([3], {"lr": 0.01})], steps, engine)
    rates = (0.1, 0.1, 0.3, 0.01)
    expected = normals(SHAPES, seed=5)
    for step in steps:
        expected = [p - lr * g for p, g, lr in zip(expected, clipped_together(step, 1.0), rates)]
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_parameters_and_groups_plays_no_part(engine, order):
    steps = gradients(SHAPES, 6, seed=7)
    one = trained([([0, 1, 2, 3], {})], steps, engine, lr=0.1, momentum=0.9)
    other = trained([([i], {}) for i in order], steps, engine, lr=0.1, momentum=0.9)
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parameter_without_a_gradient_is_not_in_the_norm(engine):
    steps = gradients(SHAPES, 4, seed=8)
    missing = [[None, *step[1:]] for step in steps]
    found = trained([([0, 1, 2, 3], {})], missing, engine, lr=0.1)
    alone = trained([([1, 2, 3], {})], steps, engine, lr=0.1)
    for a, b in zip(found[1:], alone[1:]):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_two_clipped_recipes_of_one_optimizer_share_the_norm():
    steps = gradients(SHAPES, 5, seed=9)
    adam, lion = gw.clipped(gw.AdamW), gw.clipped(gw.Lion)
    settings = [{"recipe": made.recipe_name, "betas": made.spec.defaults["betas"]} for made in (adam, lion)]
    groups = [([0, 1], settings[0]), ([2, 3], settings[1])]
    together = trained(groups, steps, "eager", recipe=gw.Optimizer)
    clipped = [clipped_together(step, 1.0) for step in steps]
    for index, plain in ((0, gw.AdamW), (1, gw.AdamW), (2, gw.Lion), (3, gw.Lion)):
        alone = run(plain, [normals(SHAPES, seed=5)[index]], [[step[index]] for step in clipped]).last[0]
        np.testing.assert_allclose(together[index], alone, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_below_the_limit_pass_bit_for_bit(engine):
    steps = [[1e-3 * g for g in step] for step in gradients(SHAPES, 5, seed=10)]
    clipped = trained([([0, 1, 2, 3], {})], steps, engine, max_norm=10.0)
    plain = trained([([0, 1, 2, 3], {})], steps, engine, recipe=gw.SGD)
    for a, b in zip(clipped, plain):
        assert (a == b).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_is_seen_or_takes_all_gradients_as_zero(engine, broken):
    steps = gradients(SHAPES, 1, seed=11)
    steps[0][0][0, 0] = broken
    starts = normals(SHAPES, seed=5)
    spread = trained([([0, 1, 2, 3], {})], steps, engine)
    if np.isnan(broken):
        assert all(np.isnan(values).all() for values in spread)
    else:
        assert np.isnan(spread[0][0, 0])
        assert all((values == start).all() for values, start in zip(spread[1:], starts[1:]))
    zero = trained([([0, 1, 2, 3], {})], steps, engine, nonfinite="zero")
    assert all((values == start).all() for values, start in zip(zero, starts))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_after_a_zeroed_one_goes_on_with_sound_state(engine):
    steps = gradients(SHAPES, 3, seed=12)
    steps[1][2] = np.asarray(np.nan)
    found = trained([([0, 1, 2, 3], {})], steps, engine, recipe=gw.clipped(gw.AdamW), nonfinite="zero")
    assert all(np.isfinite(values).all() for values in found)


def test_the_outermost_condition_acts_first():
    g, w = [[3.0, 4.0]], [[30.0, 40.0]]
    outer = run(gw.clipped(gw.centralized(gw.SGD)), [w], [[g]], lr=1.0)
    np.testing.assert_allclose(outer.last[0], [[30.1, 39.9]], rtol=1e-14)
    inner = gw.centralized(gw.clipped(gw.SGD)).chain()
    assert [type(link).__name__ for link in inner.links][:3] == ["ClipNorm", "L2", "Centralize"]


def test_centralisation_follows_the_penalty_and_clipping_goes_before_it():
    names = [type(link).__name__ for link in gw.centralized(gw.Adam).chain().links]
    assert names[:2] == ["L2", "Centralize"]
    assert type(gw.clipped(gw.Adam).chain().links[0]).__name__ == "ClipNorm"


def test_a_total_of_a_single_number_of_parameters_is_asked_for_once():
    part = gw.clipped(gw.SGD).chain()
    u = torch.ones(3)
    asked = next(walk(part, u, {}, None))  # type: ignore[arg-type]
    assert asked.name == "gradient_norm2"
    assert asked.parts[0].item() == 3.0


def test_settings_are_checked_by_name():
    with pytest.raises(ValueError, match="max_norm=0"):
        gw.clipped(gw.AdamW)([torch.ones(2, requires_grad=True)], max_norm=0.0)
    with pytest.raises(ValueError, match="nonfinite='skip'"):
        gw.clipped(gw.AdamW)([torch.ones(2, requires_grad=True)], nonfinite="skip")
    with pytest.raises(ValueError, match="max_norm"):
        gw.clipped(gw.clipped(gw.AdamW))
