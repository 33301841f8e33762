"""The host program: Python doubles that answer as torch does where Python would raise."""

import math

import pytest
import torch

from gradwright.engine.graph.graph import Graph
from gradwright.engine.graph.host import compile_host
from gradwright.engine.operand import HOST
from gradwright.engine.ops import OPERATIONS

EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, 1e300, -1e300, 1e-300, 5e-324, math.inf, -math.inf, math.nan)

UNARY = {
    "neg": torch.neg,
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "sign": torch.sign,
    "isnan": torch.isnan,
    "isfinite": torch.isfinite,
}
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "mod": torch.remainder,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
}


def double(x):
    return torch.tensor(x, dtype=torch.float64)


def agree(found, expected):
    expected = expected.item()
    if isinstance(expected, bool):
        return bool(found) == expected
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    return found == expected or math.isclose(found, expected, rel_tol=1e-14)


@pytest.mark.parametrize("op", UNARY)
def test_one_number(op):
    for x in EDGES:
        expected = UNARY[op](double(x))
        assert agree(OPERATIONS[op].host(x), expected), f"{op}({x}) is {OPERATIONS[op].host(x)}, torch says {expected}"


@pytest.mark.parametrize("op", BINARY)
def test_two_numbers(op):
    for x in EDGES:
        for y in EDGES:
            expected = BINARY[op](double(x), double(y))
            assert agree(OPERATIONS[op].host(x, y), expected), (
                f"{op}({x}, {y}) is {OPERATIONS[op].host(x, y)}, torch says {expected}"
            )


def test_where_and_the_logical_ones():
    assert OPERATIONS["where"].host(True, 1.0, math.nan) == 1.0
    assert OPERATIONS["where"].host(False, math.nan, 2.0) == 2.0
    for x in (True, False):
        assert OPERATIONS["not"].host(x) is not x
        for y in (True, False):
            assert bool(OPERATIONS["and"].host(x, y)) == (x and y)
            assert bool(OPERATIONS["or"].host(x, y)) == (x or y)


def test_a_program_computes_its_outputs_from_its_inputs():
    graph = Graph()
    beta, step = graph.input("beta", HOST), graph.input("step", HOST)
    correction = graph.apply("sub", graph.constant(1.0), graph.apply("pow", beta, step))
    root = graph.apply("sqrt", correction)
    inverse = graph.apply("div", graph.constant(1.0), correction)
    program = compile_host(graph, [root, inverse], ["step", "beta"])
    assert program((3.0, 0.9)) == (math.sqrt(1 - 0.9**3), 1 / (1 - 0.9**3))
    assert program((0.0, 0.9)) == (0.0, math.inf)


def test_constants_that_are_not_finite_and_programs_without_outputs():
    graph = Graph()
    nan, low = graph.constant(math.nan), graph.constant(-math.inf)
    found = compile_host(graph, [nan, low], [])(())
    assert math.isnan(found[0])
    assert found[1] == -math.inf
    assert compile_host(graph, [], [])(()) == ()
