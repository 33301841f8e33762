"""Solver steps as transforms with extra arguments: they converge, and refuse what is missing by name."""

import math
from itertools import pairwise

import pytest
import torch

from gradwright.solvers import transforms
from tests.solvers.problems import F64, rosenbrock

CHAINS = {
    "newton-cg": lambda: transforms.chain(transforms.scale_by_newton_cg(), transforms.scale_by_hager_zhang()),
    "steihaug": transforms.scale_by_steihaug,
    "l-bfgs": lambda: transforms.chain(transforms.cautious_lbfgs(), transforms.scale_by_hager_zhang()),
    "hessian-free": transforms.scale_by_hessian_free,
}


def gradient(fun, x):
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(fun(leaf), leaf)[0]


def descend(transform, fun, x, steps, **extra):
    state, values = transform.init(x), []
    for _ in range(steps):
        step, state = transform.update(gradient(fun, x), state, x, value_fn=fun, **extra)
        x = x + step
        values.append(float(fun(x)))
    return x, values


def quadratic(x):
    return 0.5 * (torch.tensor([1.0, 10.0, 100.0, 1000.0]).to(x) * (x - 3) ** 2).sum()


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize(("fun", "target"), [(quadratic, 3.0), (rosenbrock, 1.0)])
def test_reaches_the_minimum_and_never_rises(name, fun, target, dtype):
    x, values = descend(CHAINS[name](), fun, torch.tensor([0.2, 1.0, 0.5, 0.8], dtype=dtype), 80)
    assert x.dtype == dtype
    torch.testing.assert_close(x, torch.full_like(x, target), atol=2e-2 if dtype == torch.float32 else 1e-6, rtol=0)
    slack = 1e-5 if dtype == torch.float32 else 1e-12
    assert all(after <= before * (1 + slack) + slack for before, after in pairwise(values))


def test_any_shape_and_a_given_product():
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=F64)
    x = torch.zeros(2, 2, dtype=F64)
    transform = transforms.scale_by_newton_cg(forcing=1e-10)
    step, _ = transform.update(-torch.ones_like(x), transform.init(x), x, hvp=lambda v: weights * v)
    torch.testing.assert_close(step, 1 / weights)


def test_steihaug_at_the_boundary():
    x = torch.tensor([3.0, 4.0], dtype=F64)
    transform = transforms.scale_by_steihaug(first_radius=0.5)
    step, (radius, _, ratio) = transform.update(x, transform.init(x), x, value_fn=lambda x: 0.5 * (x @ x))
    torch.testing.assert_close(step, torch.tensor([-0.3, -0.4], dtype=F64))
    assert (radius, ratio) == (1.0, pytest.approx(1.0))


def test_steihaug_rejects_what_is_not_finite():
    x = torch.tensor([1.0, 0.0], dtype=F64)
    transform = transforms.scale_by_steihaug(first_radius=0.5)
    step, (radius, _, ratio) = transform.update(
        2 * x, transform.init(x), x, value_fn=lambda x: (x[0] - 0.9).sqrt(), hvp=lambda v: v
    )
    assert step.abs().max() == 0
    assert radius == pytest.approx(0.125)
    assert ratio == -1.0


def test_hessian_free_solves_the_damped_system():
    """δ = −(G + λI)⁻¹ g by a dense solve, with a Gauss-Newton matrix that is not the Hessian; then λ by trust."""
    G = torch.diag(torch.tensor([1.0, 10.0, 100.0], dtype=F64)) + 0.5
    x, fun = torch.ones(3, dtype=F64), lambda x: 0.5 * x @ G @ x
    transform = transforms.scale_by_hessian_free(damping=0.3, tolerance=0.0)
    step, state = transform.update(G @ x, transform.init(x), x, value_fn=fun, gnvp=lambda v: G @ v)
    delta = -torch.linalg.solve(G + 0.3 * torch.eye(3, dtype=F64), G @ x)
    torch.testing.assert_close(step, delta, rtol=1e-6, atol=1e-8)
    predicted = (G @ x) @ delta + 0.5 * delta @ (G + 0.3 * torch.eye(3, dtype=F64)) @ delta
    assert state.ratio == pytest.approx(float((fun(x + delta) - fun(x)) / predicted), rel=1e-6)
    assert state.damping == pytest.approx(0.2)
    torch.testing.assert_close(state.last, delta, rtol=1e-6, atol=1e-8)


def test_hessian_free_rejects_what_lowers_nothing():
    x = torch.tensor([1.0, 2.0], dtype=F64)
    transform = transforms.scale_by_hessian_free(damping=1.0)
    wall = lambda y: (y @ y) if bool((y == x).all()) else torch.tensor(math.nan)  # noqa: E731
    step, state = transform.update(2 * x, transform.init(x), x, value_fn=wall, hvp=lambda v: 2 * v)
    assert step.abs().max() == 0
    assert state.damping == 1.5
    assert state.last is None
    step, state = transform.update(2 * x, transform.init(x), x, value_fn=lambda y: -(y @ y), hvp=lambda v: -6 * v)
    assert step.abs().max() == 0
    assert state.damping == pytest.approx(2 * 5.0)  # −6 + λ is met, and no iterate was kept


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("scale_by_hessian_free", "value_fn"),
        ("scale_by_newton_cg", "hvp"),
        ("scale_by_steihaug", "value_fn"),
        ("scale_by_hager_zhang", "value_fn"),
    ],
)
def test_what_is_missing_is_named(name, wanted):
    transform = getattr(transforms, name)()
    x = torch.ones(2)
    with pytest.raises(ValueError, match=f"{name}: {wanted} is missing"):
        transform.update(x, transform.init(x), x)
    whole = transforms.chain(transforms.cautious_lbfgs(), transform)
    with pytest.raises(ValueError, match=wanted):
        whole.update(x, whole.init(x), x)


def test_a_dict_of_parameters_takes_the_steps_of_one_tensor():
    for make in (
        lambda: transforms.chain(transforms.scale_by_newton_cg(), transforms.scale_by_hager_zhang()),
        transforms.scale_by_steihaug,
        transforms.scale_by_hessian_free,
        lambda: transforms.chain(transforms.cautious_lbfgs(), transforms.scale_by_hager_zhang()),
    ):
        whole, parts = make(), make()
        x = torch.tensor([-1.2, 1.0, 0.5], dtype=F64)
        tree = {"a": x[:1].clone(), "b": x[1:].clone()}
        state, other = whole.init(x), parts.init(tree)
        for _ in range(5):
            step, state = whole.update(torch.func.grad(rosenbrock)(x), state, x, value_fn=rosenbrock)
            slopes = torch.func.grad(joined_rosenbrock)(tree)
            steps, other = parts.update(slopes, other, tree, value_fn=joined_rosenbrock)
            x, tree = x + step, {name: tree[name] + steps[name] for name in tree}
            assert torch.equal(torch.cat([tree["a"], tree["b"]]), x)
    with pytest.raises(ValueError, match="the step is"):
        transforms.scale_by_steihaug().update({"c": x}, state, tree, value_fn=joined_rosenbrock)
    with pytest.raises(TypeError, match="give tensors, or dicts"):
        transforms.scale_by_steihaug().update([x], state, [x], value_fn=joined_rosenbrock)


def joined_rosenbrock(tree):
    return rosenbrock(torch.cat([tree["a"], tree["b"]]))
