"""Linear solvers, the L-BFGS matrix and Steihaug's path against dense algebra."""

import numpy as np
import pytest
import torch

from gradwright.solvers import LBFGSMemory, LinearOperator, steihaug
from gradwright.solvers.linear import lsmr, minres, pcg
from gradwright.solvers.linear.operator import as_operator
from gradwright.solvers.methods.saddle import lowest_curvature
from tests.solvers.problems import F64, tensor


def symmetric(eigenvalues):
    size = len(eigenvalues)
    q = torch.linalg.qr(torch.randn(size, size, dtype=F64, generator=torch.Generator().manual_seed(1)))[0]
    matrix = q @ torch.diag(torch.as_tensor(eigenvalues, dtype=F64)) @ q.T
    return 0.5 * (matrix + matrix.T)


B = torch.randn(20, dtype=F64, generator=torch.Generator().manual_seed(2))


def test_cg_solves_and_a_good_preconditioner_saves_products():
    A = symmetric(np.logspace(-2, 4, 20))
    plain = pcg(A, B, rtol=1e-10)
    torch.testing.assert_close(plain.x, torch.linalg.solve(A, B), rtol=1e-5, atol=1e-8)
    inverse = torch.linalg.inv(A + 1e-3 * torch.eye(20, dtype=F64))
    better = pcg(A, B, precondition=lambda r: inverse @ r, rtol=1e-10)
    assert plain.converged
    assert better.converged
    assert better.iterations < plain.iterations / 2
    torch.testing.assert_close(better.x, plain.x, rtol=1e-5, atol=1e-8)


def test_cg_returns_the_direction_of_negative_curvature():
    A = symmetric([-1.0] + [1.0] * 19)
    found = pcg(A, B)
    assert not found.converged
    assert float(found.direction @ (A @ found.direction)) <= 0


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_minres_solves_indefinite_systems_in_any_units(scale):
    A = scale * symmetric(np.linspace(-5, 4.3, 20))
    found = minres(A, B, rtol=1e-10)
    assert found.converged
    assert float((A @ found.x - B).norm() / B.norm()) < 1e-9


def test_minres_and_a_singular_system():
    eigenvalues = np.linspace(-5, 4.3, 20)
    eigenvalues[4] = 0.0
    A = symmetric(eigenvalues)
    found = minres(A, B)
    assert found.converged
    assert "singular" in found.reason
    assert float((A @ (A @ found.x - B)).norm()) < 1e-4


def test_minres_agrees_with_scipy():
    linalg = pytest.importorskip("scipy.sparse.linalg")
    A = symmetric(np.linspace(-5, 4.3, 20))
    theirs, flag = linalg.minres(A.numpy(), B.numpy(), shift=-0.7, rtol=1e-12)
    assert flag == 0
    np.testing.assert_allclose(minres(A, B, shift=0.7, rtol=1e-12).x.numpy(), theirs, rtol=1e-7)


@pytest.mark.parametrize("damping", [0.0, 1.3])
@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_lsmr_is_damped_least_squares(shape, damping):
    A = torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(3))
    b = torch.randn(shape[0], dtype=F64, generator=torch.Generator().manual_seed(4))
    found = lsmr(A, b, damping=damping, rtol=1e-12)
    if damping:
        exact = torch.linalg.solve(A.T @ A + damping**2 * torch.eye(shape[1], dtype=F64), A.T @ b)
    else:
        exact = torch.linalg.pinv(A) @ b
    assert found.converged
    torch.testing.assert_close(found.x, exact, rtol=1e-8, atol=1e-10)


def dense_bfgs(pairs, size):
    """H and B by the recursions, from (sᵀy / yᵀy) I of the newest pair."""
    s, y = pairs[-1]
    eye = torch.eye(size, dtype=F64)
    H, B = eye * (s @ y) / (y @ y), eye * (y @ y) / (s @ y)
    for s, y in pairs:
        rho = 1 / (s @ y)
        V = eye - rho * torch.outer(y, s)
        H = V.T @ H @ V + rho * torch.outer(s, s)
        Bs = B @ s
        B = B - torch.outer(Bs, Bs) / (s @ Bs) + rho * torch.outer(y, y)
    return H, B


def test_the_memory_is_bfgs_over_the_last_pairs():
    A = symmetric(np.logspace(-1, 2, 20))
    memory, pairs = LBFGSMemory(20, 5, B), []
    generator = torch.Generator().manual_seed(5)
    for count in range(1, 9):
        s = torch.randn(20, dtype=F64, generator=generator)
        assert memory.push(s, A @ s)
        pairs.append((s, A @ s))
        H, direct = dense_bfgs(pairs[-5:], 20)
        assert len(memory) == min(count, 5)
        torch.testing.assert_close(memory.apply_inverse(B), H @ B, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(memory.apply(B), direct @ B, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_memory_refuses_pairs_without_curvature_in_any_units(scale):
    memory = LBFGSMemory(2, 3, tensor(0.0))
    assert not memory.push(tensor(1.0, 0.0), scale * tensor(-1.0, 0.5))
    assert not memory.push(tensor(1.0, 0.0), scale * tensor(1e-17, 1.0))
    assert not memory.push(tensor(0.0, 0.0), tensor(0.0, 0.0))
    assert memory.push(tensor(1.0, 0.0), scale * tensor(1.0, 0.5))


def model(H, g, p):
    return float(g @ p + 0.5 * p @ (H @ p))


@pytest.mark.parametrize("eigenvalues", [np.logspace(-1, 2, 20), np.linspace(-2, 5, 20)], ids=["convex", "indefinite"])
def test_a_path_serves_every_smaller_radius(eigenvalues):
    H = symmetric(eigenvalues)
    path = steihaug(as_operator(H), B, 10.0, forcing=1e-6)
    before = 0.0
    for radius in (1e-3, 0.1, 0.7, 2.0, 10.0):
        step = path.within(radius)
        fresh = steihaug(as_operator(H), B, radius, forcing=1e-6)
        again = fresh.within(radius)
        torch.testing.assert_close(step.p, again.p, rtol=1e-8, atol=1e-10)
        assert step.reduction == pytest.approx(-model(H, B, step.p), rel=1e-9)
        assert step.length == pytest.approx(float(step.p.norm()), rel=1e-9)
        assert float(step.p.norm()) <= radius * (1 + 1e-9)
        assert step.reduction > before, "more room, more decrease"
        assert fresh.products <= path.products
        before = step.reduction


def test_a_wide_path_in_a_convex_model_is_newtons_step():
    H = symmetric(np.logspace(-1, 2, 20))
    step = steihaug(as_operator(H), B, 1e6, forcing=1e-12).within(1e6)
    assert not step.boundary
    torch.testing.assert_close(step.p, -torch.linalg.solve(H, B), rtol=1e-7, atol=1e-9)


def test_a_preconditioned_path_is_the_path_in_scaled_variables():
    H = symmetric(np.linspace(-2, 5, 20))
    scale = torch.logspace(-2, 2, 20, dtype=F64)
    root = scale.sqrt()
    path = steihaug(as_operator(H), B, 3.0, forcing=1e-8, precondition=lambda r: r / scale)
    scaled = steihaug(as_operator(H / root[:, None] / root), B / root, 3.0, forcing=1e-8)
    torch.testing.assert_close(path.within(3.0).p * root, scaled.within(3.0).p, rtol=1e-7, atol=1e-9)


def test_lanczos_finds_the_lowest_curvature():
    H = symmetric([-3.0, *np.linspace(-1, 5, 19)])
    value, direction, size = lowest_curvature(as_operator(H), B, steps=20)
    assert value == pytest.approx(-3.0)
    assert size == pytest.approx(5.0)
    torch.testing.assert_close(H @ direction, -3.0 * direction, rtol=1e-5, atol=1e-6)


def test_operators_add_scale_shift_and_transpose():
    A = torch.randn(3, 2, dtype=F64)
    operator = as_operator(A)
    v, u = tensor(1.0, 2.0), tensor(1.0, 2.0, 3.0)
    torch.testing.assert_close((2 * operator + operator) @ v, 3 * A @ v)
    torch.testing.assert_close((2 * operator + operator).T @ u, 3 * A.T @ u)
    torch.testing.assert_close(operator.dense(v), A)
    square = as_operator(A.T @ A)
    torch.testing.assert_close(square.shifted(2.0) @ v, A.T @ A @ v + 2 * v)
    torch.testing.assert_close(square.diagonal(v), (A.T @ A).diagonal())
    estimate = square.diagonal(v, probes=4000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(estimate, (A.T @ A).diagonal(), rtol=0.1, atol=0.1)
    with pytest.raises(ValueError, match="cannot be applied"):
        _ = operator @ u
    with pytest.raises(ValueError, match="give rmatvec"):
        LinearOperator((3, 2), lambda v: v)
