"""Second moments that take next to no memory: what they bound, what they keep, and what they cost."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from gradwright.core import ParamSpec, Slot
from gradwright.transforms.moment.packed_sign import pack, packed_size, unpack
from gradwright.transforms.moment.square_matrix import factors, square_shape
from gradwright.transforms.step.amos import expected_scale
from tests.properties.draws import arrays, seeds, shapes
from tests.runs import gradients, normals, run

STEPS = 6
GPT = ((768, 768), (768, 3072), (50257, 768))


def declared_bytes(recipe, shape, **knobs):
    """Of the slots that a recipe declares beside a float32 tensor of this shape, for each of its entries."""
    spec = ParamSpec(shape)
    slots = [slot for slot in recipe.chain(**knobs).slots(spec).values() if isinstance(slot, Slot)]
    return sum(slot.nbytes_for(spec) for slot in slots) / spec.numel


THRIFTY = {
    "SM3": (gw.SM3, {}, 0.011),
    "Amos": (gw.Amos, {}, 0.011),
    "SMMF, two signs": (gw.SMMF, {"signs": "binary"}, 0.147),
    "SMMF, three signs": (gw.SMMF, {}, 0.222),
}


@pytest.mark.parametrize("shape", GPT, ids=str)
@pytest.mark.parametrize("name", THRIFTY)
def test_the_declared_state_takes_a_fraction_of_a_byte_per_parameter(name, shape):
    recipe, knobs, most = THRIFTY[name]
    assert declared_bytes(recipe, shape, **knobs) < most


@pytest.mark.parametrize("shape", GPT, ids=str)
def test_thrifty_adamw_pays_for_the_first_moment_alone(shape):
    assert declared_bytes(gw.AdamW, shape) == 8
    for moment in ("row", "tensor", "factored"):
        assert 4 < declared_bytes(gw.thrifty(gw.AdamW), shape, moment=moment) < 4.02


def accumulators(walk, count):
    return [walk.state(f"precondition.axis{k}") for k in range(count)]


@given(seed=seeds, shape=shapes(1, 3))
def test_sm3_bounds_the_sum_of_squares_and_never_forgets(seed, shape):
    steps = gradients([shape], 3, seed)
    before = {"I": 0.0, "II": 0.0}
    for t in (1, 2, 3):
        bounds = {}
        for form in ("I", "II"):
            walk = run(gw.SM3, [np.zeros(shape)], steps[:t], form=form)
            bounds[form] = np.minimum.reduce(np.broadcast_arrays(*accumulators(walk, len(shape))))
            assert np.all(bounds[form] >= before[form])
            before[form] = bounds[form]
        squares = sum(g**2 for (g,) in steps[:t])
        assert np.all(squares <= bounds["II"] * (1 + 1e-12))
        assert np.all(bounds["II"] <= bounds["I"] * (1 + 1e-12))


def test_sm3_of_a_vector_is_adagrad():
    start, steps = normals([(5,)], 1), gradients([(5,)], STEPS, 2)
    found = run(gw.SM3, start, steps, lr=0.1).last[0]
    adagrad = run(torch.optim.Adagrad, start, steps, lr=0.1, eps=1e-30).last[0]
    np.testing.assert_allclose(found, adagrad, rtol=1e-12)


def test_sm3_leaves_alone_what_never_had_a_gradient():
    """0 / 0 counts as 0, in float32 too."""
    gradient = np.zeros((3, 2))
    gradient[0, 0] = 1e-30
    walk = run(gw.SM3, [np.ones((3, 2))], [[gradient]] * 2, dtype=torch.float32, momentum=0.9)
    assert np.array_equal(walk.last[0][1:], np.ones((2, 2)))


@given(matrix=arrays(shapes(2, 2)))
def test_factors_keep_the_sum(matrix):
    row, column = factors(torch.tensor(np.abs(matrix)))
    torch.testing.assert_close((row * column).sum().item(), np.abs(matrix).sum().item())


@given(first=arrays(shapes(1, 1)), second=arrays(shapes(1, 1)))
def test_factors_of_a_matrix_of_rank_one_are_exact(first, second):
    matrix = torch.tensor(np.abs(np.outer(first, second)))
    row, column = factors(matrix)
    torch.testing.assert_close(row * column, matrix)


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (7, (7, 1)), (12, (4, 3)), (24, (6, 4)), (768 * 3072, (1536, 1536))]
)
def test_the_shape_nearest_to_a_square(count, shape):
    assert square_shape(count) == shape


@given(seed=seeds, count=st.integers(1, 40), signs=st.sampled_from(["ternary", "binary"]))
def test_signs_survive_packing(seed, count, signs):
    values = torch.tensor(np.random.RandomState(seed).randint(-1, 2, count))
    packed = pack(values, signs)
    assert packed.shape == (packed_size(count, signs),)
    expected = values if signs == "ternary" else torch.where(values > 0, 1, -1)
    assert torch.equal(unpack(packed, count, signs), expected.float())


@pytest.mark.parametrize("shape", [(24,), (4, 6), (2, 3, 4), (2, 3, 2, 2)], ids=str)
def test_smmf_does_not_see_the_shape(shape):
    start, steps = normals([(6, 4)], 1), gradients([(6, 4)], STEPS, 2)
    plain = run(gw.SMMF, start, steps, lr=0.1).last[0]
    other = run(gw.SMMF, [start[0].reshape(shape)], [[g.reshape(shape)] for (g,) in steps], lr=0.1).last[0]
    assert np.array_equal(other.ravel(), plain.ravel())


def test_smmf_moves_no_entry_that_never_had_a_gradient():
    """With two signs, as published, the off-diagonal entries move though their gradients were always zero."""
    steps = [[np.eye(2)], [np.zeros((2, 2))]]
    three = run(gw.SMMF, [np.zeros((2, 2))], steps, lr=1.0).last[0]
    two = run(gw.SMMF, [np.zeros((2, 2))], steps, lr=1.0, signs="binary").last[0]
    assert three[0, 1] == three[1, 0] == 0
    np.testing.assert_allclose([two[0, 1], two[1, 0]], 0.1174730731, atol=1e-9)


def test_amos_decay_memory_never_shrinks_and_its_decay_is_of_second_order():
    lr, start, steps = 0.1, normals([(4, 3)], 1), gradients([(4, 3)], 20, 2)
    before = 0.0
    for t in range(1, 21):
        walk = run(gw.Amos, start, steps[:t], lr=lr)
        assert np.all(walk.state("model_oriented_step.b") >= before)
        before = walk.state("model_oriented_step.b")
    far = [1e9 * start[0]]
    shrunk = run(gw.Amos, far, steps[:1], lr=lr).last[0] / far[0]
    np.testing.assert_allclose(shrunk, 1 - lr**2 / 2, rtol=1e-6)


def test_amos_with_one_number_is_amos_with_many_where_all_squares_are_equal():
    start, signs = normals([(4, 3)], 1), [np.sign(g) for (g,) in gradients([(4, 3)], STEPS, 2)]
    walks = [run(gw.Amos, start, [[g] for g in signs], lr=0.1, eta=0.3, roles=[role]) for role in ("", "bias")]
    assert walks[0].state("model_oriented_step.b").shape == (4, 1)
    assert walks[1].state("model_oriented_step.b").shape == ()
    np.testing.assert_allclose(walks[0].last[0], walks[1].last[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_amos_stays_finite_where_squares_underflow(dtype):
    """Its least v, 2⁻¹²⁵, is a normal number of float32."""
    start = [np.ones((2, 3))]
    zeros = run(gw.Amos, start, [[np.zeros((2, 3))]] * 3, dtype=dtype, lr=0.1)
    assert np.array_equal(zeros.last[0], start[0])
    tiny = run(gw.Amos, start, [[np.full((2, 3), 1e-25)]] * 3, dtype=dtype, lr=0.1)
    assert np.isfinite(tiny.last[0]).all()


ROLES = {
    "bias": ((8,), 0.5),
    "gain": ((8,), 1.0),
    "embedding": ((50, 8), math.sqrt(2 / 8)),
    "convolution": ((16, 8, 3, 3), math.sqrt(2 / 72)),
    "matrix": ((16, 8), math.sqrt(1 / 8)),
    "head": ((50, 8), math.sqrt(1 / 8)),
    "stack": ((4, 16, 8), math.sqrt(1 / 8)),
}


@pytest.mark.parametrize("role", ROLES)
def test_amos_tells_the_expected_scale_by_the_role(role):
    shape, scale = ROLES[role]
    assert expected_scale(ParamSpec(shape, roles=frozenset({role}))) == pytest.approx(scale)
    first = run(gw.Amos, [np.zeros(shape)], [[np.ones(shape)]], roles=[role], lr=0.1).last[0]
    np.testing.assert_allclose(first, -0.1 * scale)


def test_a_group_overrides_the_expected_scale():
    one, other = torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(3))
    optimizer = gw.Amos([{"params": [one]}, {"params": [other], "eta": 2.0}], lr=0.1)
    one.grad = other.grad = torch.ones(3)
    optimizer.step()
    torch.testing.assert_close(one.detach(), torch.full((3,), -0.05))
    torch.testing.assert_close(other.detach(), torch.full((3,), -0.2))


def test_thrifty_by_row_of_a_vector_is_the_recipe_itself():
    start, steps = normals([(5,), ()], 1), gradients([(5,), ()], STEPS, 2)
    plain, thrifty = (run(recipe, start, steps, lr=0.1).last for recipe in (gw.AdamW, gw.thrifty(gw.AdamW)))
    assert all(np.array_equal(p, q) for p, q in zip(plain, thrifty))


def test_thrifty_surefoot_keeps_the_iterate_alone():
    assert declared_bytes(gw.Surefoot, (768, 3072)) == pytest.approx(8, abs=0.01)
    assert declared_bytes(gw.thrifty(gw.Surefoot), (768, 3072), moment="factored") == pytest.approx(4, abs=0.02)


def test_thrifty_reaches_moments_inside_other_parts():
    recipe = gw.thrifty(gw.AMAdamW)
    assert recipe.chain().slots(ParamSpec((4, 3)))["adaptive_memory_moment.v"].shape_for(ParamSpec((4, 3))) == (4, 1)


@pytest.mark.parametrize("recipe", [gw.Lion, gw.SGD, gw.SM3], ids=lambda recipe: recipe.recipe_name)
def test_thrifty_refuses_what_has_no_full_size_moment(recipe):
    with pytest.raises(ValueError, match="no full-size second moment"):
        gw.thrifty(recipe)


def test_thrifty_refuses_a_largest_moment_over_time_and_an_unknown_kind():
    parameter = torch.nn.Parameter(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="without amsgrad"):
        gw.thrifty(gw.AdamW)([parameter], amsgrad=True)
    with pytest.raises(ValueError, match="moment='column' is unknown; known are row, tensor, factored"):
        gw.thrifty(gw.AdamW)([parameter], moment="column")


@pytest.mark.parametrize(
    ("recipe", "knobs", "message"),
    [
        (gw.SM3, {"form": "III"}, "form='III' is unknown"),
        (gw.SMMF, {"signs": "quaternary"}, "signs='quaternary' is unknown"),
        (gw.SMMF, {"beta2_decay": 0.5}, "beta2_decay=0.5 must be negative"),
        (gw.SMMF, {"growth_rate": 1.5}, "growth_rate=1.5 is outside"),
        (gw.Amos, {"clip": 0.0}, "value=0 is outside"),
        (gw.SOAP, {"precondition_frequency": 0}, "must be at least 1"),
        (gw.AdamW2, {"iterations": 0}, "must be at least 1"),
        (gw.AdaGL, {"history": 0}, "must be at least 1"),
        (gw.AdaGL, {"alpha": 2.0}, "alpha=2 is outside"),
    ],
)
def test_impossible_settings_are_refused(recipe, knobs, message):
    with pytest.raises(ValueError, match=message):
        recipe([torch.nn.Parameter(torch.zeros(2))], **knobs)
