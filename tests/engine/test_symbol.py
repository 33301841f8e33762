"""Symbols mean what tensors and numbers mean, or say that they cannot."""

import math

import pytest
import torch

from gradwright.core import ParamSpec, Slot, chain
from gradwright.core.ops import largest, lerp, maximum, minimum, norm, rms, sqrt, total, where
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import trace
from gradwright.engine.operand import COLUMN, ELEMENT, HOST, ROW, SHARED, TENSOR, Folding
from tests.engine.parts import Does
from tests.engine.traced import element, op_of, tracer


@pytest.mark.parametrize(
    ("write", "spelled"),
    [
        (lambda x, k: 1 - x, ("sub", 1.0, "grad")),
        (lambda x, k: -x, ("neg", "grad")),
        (lambda x, k: 2 / x, ("div", 2.0, "grad")),
        (lambda x, k: k**2, ("pow", "k", 2.0)),
        (lambda x, k: 0.9**k, ("pow", 0.9, "k")),
        (lambda x, k: x**2, ("mul", "grad", "grad")),
        (lambda x, k: x**0.5, ("sqrt", "grad")),
        (lambda x, k: k % 5, ("mod", "k", 5.0)),
        (lambda x, k: abs(x), ("abs", "grad")),
        (lambda x, k: x.square(), ("mul", "grad", "grad")),
        (lambda x, k: torch.sign(x), ("sign", "grad")),
        (lambda x, k: sqrt(x), ("sqrt", "grad")),
        (lambda x, k: torch.clamp(x, min=k), ("maximum", "grad", "k")),
        (lambda x, k: x.clamp(max=1.0), ("minimum", "grad", 1.0)),
        (lambda x, k: x.clamp(0.0, 1.0), ("minimum", ("maximum", "grad", 0.0), 1.0)),
        (lambda x, k: torch.where(x > 0, x, 0.0), ("where", ("gt", "grad", 0.0), "grad", 0.0)),
        (lambda x, k: ~(x <= k), ("not", ("le", "grad", "k"))),
        (lambda x, k: lerp(x, k, 0.5), ("add", "grad", ("mul", ("sub", "k", "grad"), 0.5))),
    ],
)
def test_arithmetic_is_written_down(write, spelled):
    of = tracer(k=3.0)
    found = op_of(write(element(of), of.symbol("k", HOST)))
    assert found == spelled or (found[0], *reversed(found[1:])) == spelled


def test_a_python_if_on_a_host_number_is_remembered():
    of = tracer(clock=10.0)
    clock = of.symbol("clock", HOST)
    assert (1 if clock % 5 == 0 else 2) == 1
    assert list(of.guards.values()) == [True]
    assert max(clock, 3.0) is clock
    assert min(clock, 3.0) == 3.0


@pytest.mark.parametrize("kind", [SHARED, TENSOR, ELEMENT])
def test_a_python_if_on_anything_else_is_refused(kind):
    of = tracer()
    with pytest.raises(Untraceable, match="decision"):
        bool(of.symbol("x", kind) > 0)
    with pytest.raises(Untraceable):
        float(of.symbol("x", kind))


@pytest.mark.parametrize(
    "write",
    [
        lambda x: torch.fft.fft(x),
        lambda x: torch.linalg.svd(x),
        lambda x: torch.stack([x, x]),
        lambda x: torch.add(x, x, alpha=2),
        lambda x: torch.sqrt(x, out=x),
        lambda x: x**3,
        lambda x: 2.0**x,
        lambda x: x % 2,
        lambda x: x.mul_(2),
        lambda x: x.shape,
        lambda x: x + torch.ones(4),
        lambda x: torch.ones(4) + x,
        lambda x: x + None,
        lambda x: x.sum(dim=0),
        lambda x: x.sum(dtype=torch.float64),
        lambda x: x.mean(0),
        lambda x: x.sum().sum(),
        lambda x: x[0],
        lambda x: x @ x,
        lambda x: x // 2,
        lambda x: len(x),
        lambda x: list(x),
        lambda x: int(x),
        lambda x: f"{x:.3f}",
    ],
)
def test_what_has_no_word_is_refused(write):
    link = Does(lambda u, state, ctx: (write(u), {"memory": u}), Slot())
    with pytest.raises(Untraceable):
        trace(chain(link), ParamSpec((6, 4)), {"step": 2.0, "clock": 2.0})


@pytest.mark.parametrize(
    ("shape", "keep", "kind"),
    [
        ((6, 4), (), TENSOR),
        ((6, 4), (0,), ROW),
        ((6, 4), (1,), COLUMN),
        ((6, 4), (-1,), COLUMN),
        ((6, 4), (0, 1), ELEMENT),
        ((6, 4, 3), (0,), ROW),
        ((6, 4, 3), (0, 1), ROW),
        ((6, 4, 3), (1, 2), COLUMN),
        ((6, 1), (0,), ELEMENT),
        ((6, 1), (1,), TENSOR),
        ((1, 1), (0,), ELEMENT),
        ((5,), (), TENSOR),
        ((), (), ELEMENT),
    ],
)
def test_what_a_reduction_keeps_says_where_it_lives(shape, keep, kind):
    found = total(element(tracer(shape)), keep)
    assert found.kind == kind or (kind == ELEMENT and found.kind == TENSOR and math.prod(shape) == 1)


def test_only_one_folding_into_rows_and_columns():
    x = element(tracer((6, 4, 3)))
    total(x, (0,))
    total(x, (1, 2))
    with pytest.raises(Untraceable, match="folding"):
        total(x, (0, 1))
    with pytest.raises(Untraceable):
        total(element(tracer((6, 4, 3))), (1,))


@pytest.mark.parametrize(
    ("shape", "dim", "keep", "folding"),
    [
        ((6, 4), 0, (0,), Folding(0, 3)),
        ((6, 4), 0, (0, 1), Folding(1)),
        ((3, 4), 0, (0,), Folding(0, 3)),
        ((3, 1), 0, (0,), Folding(0, 3)),
        ((2, 6, 4), 1, (0, 1), Folding(1, 3)),
        ((6, 4, 3), 0, (0, 1, 2), Folding(2)),
    ],
)
def test_parts_of_a_dimension_are_rows(shape, dim, keep, folding):
    of = tracer(shape)
    cut = element(of).unflatten(dim, (3, -1))
    found = cut - total(cut, keep)
    assert (of.folding or folding) == folding
    assert found.seen == folding.seen(shape) or folding.blocks == 1
    if folding.blocks > 1:
        assert found.flatten(dim, dim + 1).seen == shape
        assert of.folding == folding


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.unflatten(0, (4, -1)),
        lambda x: x.unflatten(0, (2, 2)),
        lambda x: x.unflatten(0, (3, -1)).unflatten(0, (3, -1)),
        lambda x: x.unflatten(0, (3, -1)) + x,
        lambda x: x.unflatten(0, (3, -1)).flatten(),
        lambda x: total(x, (0,)).unflatten(0, (3, -1)),
    ],
)
def test_other_ways_to_cut_have_no_word(write):
    with pytest.raises(Untraceable, match=r"seen as|flatten"):
        write(element(tracer((6, 4))))


def test_means_count_what_they_sum():
    for keep, count in (((), "numel"), ((0,), "columns"), ((1,), "rows")):
        of = tracer((6, 4))
        found = op_of(rms(element(of), keep))
        assert found == ("sqrt", ("div", ("sum", ("mul", "grad", "grad")), count))
    x = element(tracer((6, 4)))
    assert op_of(norm(x)) == ("sqrt", ("sum", ("mul", "grad", "grad")))
    assert op_of(largest(x)) == ("amax", "grad")


@pytest.mark.parametrize(("one", "other"), [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)])
def test_nan_is_kept_by_host_numbers_and_symbols_alike(one, other):
    of = tracer(x=one)
    for function in (maximum, minimum):
        assert math.isnan(function(one, other))
        assert math.isnan(of.value(function(of.symbol("x", HOST), other).node))
        assert math.isnan(function(torch.tensor(one), torch.tensor(other)))
        assert math.isnan(function(torch.tensor(one), other))


def test_where_takes_a_decision_of_any_kind():
    of = tracer(k=2.0)
    x, k = element(of), of.symbol("k", HOST)
    assert where(True, x, k) is x
    assert where(k > 1, x, k).kind == ELEMENT
    assert where(k > 1, 1.0, 2.0).kind == HOST
    assert of.value(where(k > 1, 1.0, 2.0).node) == 1.0
    assert not of.guards
