"""A complex parameter is what its shape says: no recipe takes the pair of parts for a dimension.

What it is compared with is a real tensor that holds the same parts and is a vector, a matrix or a scalar beyond doubt.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import gradwright as gw
from gradwright.core import ParamSpec
from gradwright.engine.specialize import kind_of
from tests.contract.table import COMBINED, PLAIN

ROWS = PLAIN + COMBINED
EXCUSED = {
    (5,): {gw.thrifty: "keeps one number for an entry of a vector, the pair of a complex one"},
    (): {gw.thrifty: "counts the rows of what stands in for the scalar"},
    (3, 4): {
        gw.low_rank: "a complex matrix keeps all of its state",
        gw.SOAP: "its bases turn columns, which are half as many here",
        gw.SM3: "bounds by rows and columns, of real and imaginary parts apart",
    },
}
"""Where the real tensor is no stand-in."""


def parts(steps, shape):
    return [torch.view_as_real(torch.tensor(step)).reshape(shape).numpy() for step in steps]


def walked(recipe, knobs, start, steps, role=None):
    """The weights after every step; ``None`` where the recipe refuses such a parameter by name."""
    param = torch.tensor(start).requires_grad_()
    group = {"params": [param]} if role is None else {"params": [param], "role": role}
    try:
        optimizer = recipe([group], engine="eager", **knobs)
    except ValueError as error:
        return refused(recipe, error)
    found = []
    for t, step in enumerate(steps):
        param.grad = torch.tensor(step)
        optimizer.step(loss=torch.tensor(2.0 / (1 + t)))
        found.append(torch.view_as_real(param.detach()) if param.is_complex() else param.detach().clone())
        found[-1] = found[-1].reshape(-1).numpy().copy()
    return found


def refused(recipe, error):
    assert str(error).startswith(f"{recipe.recipe_name}: ")
    assert "parameter 0" in str(error)


def normals(shape, count):
    stream = np.random.RandomState(7)
    return [np.asarray(stream.standard_normal((*shape, 2)).view(np.complex128)[..., 0]) for _ in range(count)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.recipe.recipe_name)
@pytest.mark.parametrize(
    ("shape", "flat", "role"), [((5,), (10,), None), ((), (2,), "scalar"), ((3, 4), (3, 8), None)], ids=str
)
def test_a_complex_parameter_steps_as_a_real_one_of_its_kind(row, shape, flat, role):
    if row.recipe in EXCUSED[shape] or (row.recipe.made_by and row.recipe.made_by[0] in EXCUSED[shape]):
        return
    start, *steps = normals(shape, 3)
    found = walked(row.recipe, row.knobs, start, steps)
    if found is None:
        return
    real_start, *real_steps = parts([start, *steps], flat)
    expected = walked(row.recipe, row.knobs, real_start, real_steps, role)
    assert expected is not None
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_the_form_of_a_complex_parameter_is_that_of_a_real_one(shape):
    real, pairs = ParamSpec(shape), ParamSpec((*shape, 2), is_complex=True)
    assert pairs.roles == real.roles
    assert (pairs.own_shape, pairs.own_ndim, pairs.numel) == (shape, len(shape), 2 * real.numel)
    assert str(pairs) == str(real)


def test_kernels_of_a_complex_vector_and_of_a_real_matrix_that_acts_as_one_are_two():
    chain, vector = gw.SM3.chain(), frozenset({"vector"})
    found = [kind_of(chain, ParamSpec((5, 2), roles=vector, is_complex=flag)) for flag in (False, True)]
    assert found[0] != found[1]


def test_the_bases_of_a_complex_matrix_turn_its_rows_and_columns_and_never_mix_a_part_with_the_other():
    start, *steps = normals((3, 4), 8)
    found = walked(gw.SOAP, {"precondition_frequency": 2}, start, steps)
    swapped = walked(
        gw.SOAP, {"precondition_frequency": 2}, *[(z := [1j * x.conj() for x in [start, *steps]])[0], z[1:]]
    )
    for one, other in zip(found, swapped):
        np.testing.assert_allclose(one.reshape(-1, 2)[:, ::-1], other.reshape(-1, 2), rtol=1e-9)


def test_sm3_bounds_the_parts_of_a_complex_matrix_apart():
    start, *steps = normals((3, 4), 5)
    found = walked(gw.SM3, {}, start, steps)[-1].reshape(3, 4, 2)
    for at, part in enumerate((np.real, np.imag)):
        alone = walked(gw.SM3, {}, np.ascontiguousarray(part(start)), [np.ascontiguousarray(part(g)) for g in steps])
        np.testing.assert_allclose(found[..., at], alone[-1].reshape(3, 4), rtol=1e-12)


@pytest.mark.parametrize("lazy", [False, True])
def test_rows_of_a_complex_embedding_are_rows(lazy):
    start, *steps = normals((3, 4), 4)
    steps[1][1] = 0
    real_start, *real_steps = parts([start, *steps], (3, 8))
    found = walked(gw.Tiger, {"lazy": lazy}, start, steps, "embedding")
    expected = walked(gw.Tiger, {"lazy": lazy}, real_start, real_steps, "embedding")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_parts_decide_by_the_shape_that_the_user_knows():
    """``spec.shape`` has one dimension more where numbers are complex: a part that counts those sees matrices."""
    served_real_alone = {"moment/moments.py"}  # Factored refuses complex matrices and keeps vectors whole
    counted = {
        "step/amos.py": 1,  # real numbers that meet in an output
        "weights/hyperball.py": 1,  # or on a sphere
        "moment/reduced.py": 2,  # dimensions that a mean is taken over: parts belong to the columns
        "matrix/subspace.py": 2,  # after complex ones were refused
        "common/matrices.py": 4,  # the shape of a buffer of blocks, which holds pairs as the parameter does
    }
    room = Path(gw.transforms.__file__).parent
    for path in sorted(room.rglob("*.py")):
        name = path.relative_to(room).as_posix()
        uses = re.findall(r"spec\.(?:shape|ndim)\b", path.read_text(encoding="utf-8"))
        assert name in served_real_alone or len(uses) == counted.get(name, 0), f"{name} uses {uses}; see own_shape"
