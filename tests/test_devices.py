"""Tensors are made where they are needed: torch's default device and default type are the user's, not the library's."""

import ast
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import gradwright as gw
from gradwright.contract.training import noise
from gradwright.transforms.matrix.coefficients import _best_quintic
from tests.contract.table import COMBINED, KINDS, PLAIN

PACKAGE = Path(gw.__file__).parent
FACTORIES = {
    *("arange", "as_tensor", "empty", "empty_strided", "eye", "full", "linspace", "logspace", "normal", "ones", "rand"),
    *("randint", "randn", "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros"),
}
"""The functions of torch whose tensor lies on the default device unless they are told where."""


def homeless(path):
    """The lines at which a file makes a tensor without a device."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FACTORIES:
            of_torch = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
            told = any(keyword.arg in ("device", None) for keyword in node.keywords)
            if of_torch and not told:
                yield node.lineno


ROOMS = (
    "contract",
    "core",
    "describe",
    "engine",
    "integrations",
    "native",
    "observe",
    "optimizer",
    "recipe",
    "recipes",
    "solvers",
)


@pytest.mark.parametrize("room", [*ROOMS, "routing", "schedules", "training", "transforms"])
def test_every_tensor_is_made_on_a_device_that_is_named(room):
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for line in homeless(path)
    ]
    assert not found, f"give device=, or make it with new_zeros and its like: {', '.join(found)}"


@contextmanager
def defaults(device=None, dtype=None):
    before = torch.get_default_dtype()
    try:
        torch.set_default_device(device)
        torch.set_default_dtype(dtype or before)
        yield
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(before)


def walked(row, engine):
    weight = noise(1, (3, 4)).requires_grad_()
    optimizer = row.recipe([weight], engine=engine, **row.knobs)
    for t in range(2):
        weight.grad = noise(10 + t, (3, 4))
        optimizer.step(loss=2.0 - t)
    with optimizer.evaluating():
        evaluated = weight.detach().clone()
    state = {key: value for key, value in optimizer.state[weight].items() if isinstance(value, torch.Tensor)}
    return {"weight": weight.detach(), "evaluated": evaluated, **state}


@pytest.mark.parametrize("row", PLAIN + COMBINED, ids=lambda row: row.recipe.recipe_name)
def test_a_recipe_steps_alike_whatever_the_default_device_and_type(row):
    expected = walked(row, "eager")
    for setting in ({"device": "meta", "dtype": torch.bfloat16}, {"dtype": torch.float64}):
        with defaults(**setting):
            found = walked(row, "eager")
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert found[key].device == value.device, key
            assert found[key].dtype == value.dtype, key
            assert torch.equal(found[key], value), f"{key} under {setting}"


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.recipe.recipe_name)
def test_kernels_run_alike_whatever_the_default_device_and_type(row):
    expected = walked(row, "auto")
    with defaults("meta", torch.bfloat16):
        found = walked(row, "auto")
    for key, value in expected.items():
        assert torch.equal(found[key], value), key


@pytest.mark.parametrize("name", ["keller", "cubic"])
def test_coefficients_are_measured_on_the_host(name):
    with defaults("meta"):
        assert _best_quintic(0.1, 1.0)[0] > 0
        gw.Muon([noise(1, (3, 4)).requires_grad_()], coefficients=name)


def test_solvers_find_the_same_whatever_the_default_device_and_type():
    from gradwright.solvers import curve_fit, least_squares, minimize

    x0 = torch.tensor([-1.2, 1.0], dtype=torch.float64, device="cpu")
    t = torch.linspace(0, 1, 9, dtype=torch.float64, device="cpu")
    disc = {"type": "ineq", "fun": lambda x: 1 - (x * x).sum()}

    def runs():
        valley = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2  # noqa: E731
        found = [minimize(valley, x0, method).x for method in ("bfgs", "newton-cg", "trust-ncg", "l-bfgs")]
        found.append(minimize(valley, x0, constraints=disc).x)
        found.append(minimize(valley, x0, bounds=(-2.0, 0.5)).x)
        found.append(least_squares(lambda x: torch.exp(x[0] * t) - x[1] * t - 2, x0, bounds=(-1.5, 2.0)).x)
        return [*found, *curve_fit(lambda t, a, b: a * t + b * t * t, t, 2 * t + t**3)]

    expected = runs()
    with defaults("meta", torch.bfloat16):
        found = runs()
    for ours, theirs in zip(found, expected):
        assert ours.device == theirs.device
        assert torch.equal(ours, theirs)
