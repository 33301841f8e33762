"""Declared state: the shape and the type that a slot has beside a parameter."""

import pytest
import torch

from gradwright.core import ParamSpec, Slot

BF16, F16, F32, F64 = torch.bfloat16, torch.float16, torch.float32, torch.float64
SHAPE = (4, 3, 2)

SHAPES = {
    "like the parameter": (Slot(), SHAPE, SHAPE),
    "one number": (Slot(keep=()), SHAPE, ()),
    "one number beside one number": (Slot(keep=()), (), ()),
    "rows": (Slot(keep=(0,)), SHAPE, (4, 1, 1)),
    "the last dimension": (Slot(keep=(-1,)), SHAPE, (1, 1, 2)),
    "all but one": (Slot(keep=(0, 2)), SHAPE, (4, 1, 2)),
    "all": (Slot(keep=(0, 1, 2)), SHAPE, SHAPE),
    "another shape": (Slot(shape=(7,)), SHAPE, (7,)),
    "another shape beside one number": (Slot(shape=(2, 2)), (), (2, 2)),
}

TYPES = {
    "full size is float32 at least": (Slot(), {BF16: F32, F16: F32, F32: F32, F64: F64}),
    "a momentum may be bfloat16": (Slot(role="moment"), {BF16: BF16, F16: F32, F32: F32, F64: F64}),
    "a second moment may not": (Slot(role="square"), {BF16: F32, F16: F32, F32: F32, F64: F64}),
    "weights that move may not": (Slot(start="param"), {BF16: F32, F16: F32, F64: F64}),
    "weights that stay may": (Slot(start="param", fixed=True), {BF16: BF16, F16: F16, F64: F64}),
    "smaller is float32 at least": (Slot(keep=(0,)), {BF16: F32, F16: F32, F32: F32, F64: F64}),
    "one number is float32 at least": (Slot(keep=()), {BF16: F32, F64: F64}),
    "another shape is float32 at least": (Slot(shape=(4, 3, 2)), {BF16: F32, F64: F64}),
    "shared is float64": (Slot(keep=(), shared=True), {BF16: F64, F32: F64, F64: F64}),
    "a declared type is kept": (Slot(dtype=torch.uint8), {BF16: torch.uint8, F64: torch.uint8}),
    "a declared type is kept where shared": (Slot(keep=(), shared=True, dtype=F32), {F64: F32}),
}

REFUSED = {
    "give keep or shape": {"keep": (0,), "shape": (3,)},
    'start="param" needs': {"keep": (), "start": "param"},
    "needs keep=\\(\\) or a shape": {"shared": True},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_slot_has_its_shape(name):
    slot, parameter, expected = SHAPES[name]
    assert slot.shape_for(ParamSpec(parameter)) == expected
    assert slot.full_size == (slot == Slot())


@pytest.mark.parametrize("name", TYPES)
def test_a_slot_has_its_type(name):
    slot, expected = TYPES[name]
    assert {dtype: slot.dtype_for(ParamSpec(SHAPE, dtype)) for dtype in expected} == expected


@pytest.mark.parametrize("message", REFUSED)
def test_a_contradiction_is_refused(message):
    with pytest.raises(ValueError, match=message):
        Slot(**REFUSED[message])


def test_arithmetic_runs_in_float32_at_least():
    assert [ParamSpec((), dtype).computing_dtype for dtype in (BF16, F16, F32, F64)] == [F32, F32, F32, F64]


def test_a_spec_knows_its_size_and_tells_roles_from_its_shape():
    spec = ParamSpec((4, 3), F32, name="layer.weight")
    assert (spec.ndim, spec.numel, str(spec)) == (2, 12, "layer.weight (4x3)")
    assert spec.matches("matrix & name:layer.*")
    assert ParamSpec((4, 3), roles=frozenset({"embedding"})).matches("matrix & embedding")
    assert not ParamSpec((4, 3), roles=frozenset({"stack"})).matches("matrix")
