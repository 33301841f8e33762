"""The helpers of an update: the same answer for a number, a tensor, and one of each."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradwright.core import ops
from tests.properties.draws import arrays, shapes

NAN = float("nan")
numbers = st.floats(-1e6, 1e6)
PAIRED = {"maximum": ops.maximum, "minimum": ops.minimum}
REDUCED = {
    "total": (ops.total, np.sum),
    "mean": (ops.mean, np.mean),
    "largest": (ops.largest, np.max),
    "norm": (ops.norm, lambda x, **how: np.sqrt(np.sum(x * x, **how))),
    "rms": (ops.rms, lambda x, **how: np.sqrt(np.mean(x * x, **how))),
}


def tensor(value):
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("name", ["sqrt", "exp", "log"])
@given(x=st.floats(1e-6, 50))
def test_a_function_of_a_number_is_that_of_a_tensor(name, x):
    function = getattr(ops, name)
    assert isinstance(function(x), float)
    assert function(tensor(x)).item() == pytest.approx(function(x), rel=1e-15)


def forms(x, y):
    """Both values as numbers or tensors, in all four ways."""
    return [(x, y), (tensor(x), y), (x, tensor(y)), (tensor(x), tensor(y))]


@pytest.mark.parametrize("name", PAIRED)
@given(x=numbers, y=numbers)
def test_the_larger_and_the_smaller_of_two_are_the_same_in_every_form(name, x, y):
    expected = max(x, y) if name == "maximum" else min(x, y)
    assert [float(PAIRED[name](a, b)) for a, b in forms(x, y)] == [expected] * 4


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize(("x", "y"), [(NAN, 1.0), (1.0, NAN), (NAN, NAN)])
def test_a_nan_is_kept_on_either_side_in_every_form(name, x, y):
    assert all(math.isnan(PAIRED[name](a, b)) for a, b in forms(x, y))


@pytest.mark.parametrize("name", PAIRED)
def test_integers_are_numbers_too(name):
    assert PAIRED[name](2, 2) == 2
    assert PAIRED[name](tensor([1.0, 3.0]), 2).tolist() == ([2.0, 3.0] if name == "maximum" else [1.0, 2.0])


@given(start=numbers, end=numbers, weight=st.floats(0, 1))
def test_lerp_moves_from_start_to_end(start, end, weight):
    size = max(abs(start), abs(end), 1e-300)
    for a, b in forms(start, end):
        assert float(ops.lerp(a, b, weight)) == pytest.approx((1 - weight) * start + weight * end, abs=1e-12 * size)
    assert ops.lerp(start, end, 0.0) == start


def test_where_takes_a_bool_or_a_tensor():
    assert ops.where(True, 1.0, 2.0) == 1.0
    assert ops.where(False, 1.0, 2.0) == 2.0
    assert ops.where(tensor([1.0, -1.0]) > 0, tensor(1.0), tensor(2.0)).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", REDUCED)
@given(x=arrays(shapes(0, 4, 4)), data=st.data())
def test_a_reduction_keeps_the_dimensions_it_is_told_to(name, x, data):
    ours, numpys = REDUCED[name]
    keep = tuple(data.draw(st.sets(st.integers(0, x.ndim - 1)))) if x.ndim else ()
    found = ours(tensor(x), keep).numpy()
    gone = tuple(dim for dim in range(x.ndim) if dim not in keep)
    expected = numpys(x, axis=gone, keepdims=bool(keep)) if gone or not keep else numpys(x[None], axis=0)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", ["total", "mean", "largest"])
def test_keeping_every_dimension_reduces_nothing(name):
    """torch would read an empty list of dimensions as all of them."""
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    function, _ = REDUCED[name]
    assert torch.equal(function(x, (0, 1)), x)
    assert torch.equal(function(x, (-1, -2)), x)


def test_dimensions_count_from_the_end_too():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.equal(ops.total(x, (-1,)), ops.total(x, (1,)))
    assert ops.total(x, (-1,)).tolist() == [[4.0, 6.0]]
