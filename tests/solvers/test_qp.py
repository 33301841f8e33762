"""Quadratic programs: residuals computed here, ProxQP as a second opinion, certificates checked by hand."""

import numpy as np
import pytest
import torch

from gradwright.solvers.constrained import QPStatus, solve_qp
from tests.solvers.problems import F64


def random_program(seed, n=12, p=3, k=8, rank=None, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
    M = draw(n, rank or n)
    H, g, inside = M @ M.T / n + (0 if rank else 0.1) * torch.eye(n, dtype=F64), 3 * draw(n), draw(n).clamp(-2, 2)
    A, C = draw(p, n), draw(k, n)
    low = C @ inside - torch.rand(k, generator=generator, dtype=F64)
    parts = {"H": H, "g": g, "A": A, "b": A @ inside, "C": C, "l": low, "u": low + 1.5}
    return {name: part.to(dtype) for name, part in parts.items()}


def residual(problem, solution, bounds=3.0):
    """The largest violation of the conditions of Karush, Kuhn and Tucker, in numpy."""
    H, g, A, b, C, low, up = (problem[name].numpy().astype(float) for name in ("H", "g", "A", "b", "C", "l", "u"))
    x, y, z, w = (part.numpy().astype(float) for part in (solution.x, solution.y, solution.z, solution.z_bounds))
    value = C @ x
    gaps = [np.maximum(z, 0) * (up - value), np.maximum(-z, 0) * (value - low)]
    gaps += [np.maximum(w, 0) * (bounds - x), np.maximum(-w, 0) * (x + bounds)]
    wrong = [H @ x + g + A.T @ y + C.T @ z + w, A @ x - b, np.maximum(value - up, 0), np.maximum(low - value, 0)]
    wrong += [np.maximum(np.abs(x) - bounds, 0), *gaps]
    return max(np.abs(each).max() for each in wrong)


@pytest.mark.parametrize("rank", [None, 4, 1])
@pytest.mark.parametrize("seed", range(3))
def test_conditions_hold(seed, rank):
    problem = random_program(seed, rank=rank)
    solution = solve_qp(**problem, bounds=(-3, 3))
    assert solution.status is QPStatus.SOLVED
    assert residual(problem, solution) < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_conditions_hold_in_float32(seed):
    problem = random_program(seed, dtype=torch.float32)
    solution = solve_qp(**problem, bounds=(-3, 3))
    assert solution.status is QPStatus.SOLVED
    assert solution.x.dtype == torch.float32
    assert residual(problem, solution) < 2e-3


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_proxqp(seed):
    proxqp = pytest.importorskip("proxsuite").proxqp
    problem = random_program(seed)
    judge = proxqp.dense.QP(12, 3, 8)
    judge.settings.eps_abs = 1e-11
    judge.init(*(problem[name].numpy() for name in ("H", "g", "A", "b", "C", "l", "u")))
    judge.solve()
    solution = solve_qp(**problem)
    np.testing.assert_allclose(solution.x.numpy(), judge.results.x, atol=1e-7)
    np.testing.assert_allclose(solution.z.numpy(), judge.results.z, atol=1e-6)
    np.testing.assert_allclose(solution.y.numpy(), judge.results.y, atol=1e-6)


def test_a_batch_is_its_instances():
    problems = [random_program(seed) for seed in range(4)]
    problems[1]["u"][2] = torch.inf
    problems[2]["l"][3] = problems[2]["u"][3]
    batch = {name: torch.stack([each[name] for each in problems]).unflatten(0, (2, 2)) for name in problems[0]}
    together = solve_qp(**batch)
    assert together.x.shape == (2, 2, 12)
    assert together.solved.all()
    for index, each in enumerate(problems):
        alone = solve_qp(**each)
        torch.testing.assert_close(together.x.reshape(4, 12)[index], alone.x, rtol=1e-7, atol=1e-7)
        torch.testing.assert_close(together.z.reshape(4, 8)[index], alone.z, rtol=1e-6, atol=1e-6)


def test_a_batch_may_hold_every_outcome():
    H = torch.stack([torch.eye(2), torch.eye(2), torch.zeros(2, 2), -torch.eye(2), torch.full((2, 2), torch.nan)]).to(
        F64
    )
    g = torch.tensor([-1.0, 0.0], dtype=F64).expand(5, 2)
    C = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=F64)
    low = torch.tensor([[-torch.inf, -torch.inf], [1.0, 1.0], *3 * [[-torch.inf, -torch.inf]]], dtype=F64)
    solution = solve_qp(H, g, C=C, l=low)
    assert [status.name for status in solution.status] == [
        "SOLVED",
        "INFEASIBLE",
        "UNBOUNDED",
        "NOT_CONVEX",
        "NON_FINITE",
    ]


def test_infeasibility_is_proved():
    """Farkas: Aᵀy + Cᵀz + z_bounds = 0 while Σ (multiplier · side) < 0."""
    problem = random_program(0)
    C = torch.cat([problem["C"], problem["C"][:1]])
    low, up = torch.cat([problem["l"], problem["u"][:1] + 1]), torch.cat([problem["u"], problem["u"][:1] + 2])
    solution = solve_qp(problem["H"], problem["g"], problem["A"], problem["b"], C, low, up)
    assert solution.status is QPStatus.INFEASIBLE
    z, y = solution.z, solution.y
    size = float(z.abs().max())
    assert float((problem["A"].T @ y + C.T @ z + solution.z_bounds).abs().max()) < 1e-6 * size
    assert float(problem["b"] @ y + up @ z.clamp(min=0) + low @ z.clamp(max=0)) < -1e-3 * size


def test_unboundedness_is_proved():
    H, g = torch.diag(torch.tensor([1.0, 0.0, 0.0], dtype=F64)), torch.tensor([1.0, -1.0, 1.0], dtype=F64)
    A = torch.tensor([[0.0, 1.0, -2.0]], dtype=F64)
    solution = solve_qp(H, g, A, torch.zeros(1, dtype=F64))
    assert solution.status is QPStatus.UNBOUNDED
    d = solution.ray
    assert float((H @ d).abs().max() + (A @ d).abs().max()) < 1e-7
    assert float(g @ d) < -0.1


def test_a_start_nearby_saves_iterations():
    problem = random_program(1, n=30, k=20)
    first = solve_qp(**problem)
    problem["g"] = problem["g"] + 1e-4
    cold, warm = solve_qp(**problem), solve_qp(**problem, start=first)
    torch.testing.assert_close(warm.x, cold.x, rtol=1e-7, atol=1e-7)
    assert int(warm.iterations) < int(cold.iterations)


def test_duplicated_equalities_and_fixed_variables():
    problem = random_program(2)
    once = solve_qp(**problem, bounds=(torch.tensor([0.1, *11 * [-3.0]]), torch.tensor([0.1, *11 * [3.0]])))
    problem |= {"A": torch.cat([problem["A"], problem["A"]]), "b": torch.cat([problem["b"], problem["b"]])}
    twice = solve_qp(**problem, bounds=(torch.tensor([0.1, *11 * [-3.0]]), torch.tensor([0.1, *11 * [3.0]])))
    assert bool(twice.solved)
    assert float(twice.x[0]) == pytest.approx(0.1, abs=1e-7)
    torch.testing.assert_close(once.x, twice.x, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": None}, "A and b belong together"),
        ({"C": None}, "without C"),
        ({"A": torch.ones(1, 3), "b": torch.ones(1)}, "A has shape"),
        ({"b": torch.ones(7)}, "b has shape"),
        ({"l": torch.full((8,), 100.0)}, "l is above u at entry"),
        ({"bounds": (1.0, 0.0)}, "the lower bound is above the upper bound"),
        ({"H": torch.ones(2, 3)}, "H has shape"),
        ({"l": None, "u": None}, "C is given without l and u"),
    ],
)
def test_wrong_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        solve_qp(**{**random_program(0), **change})


def test_half_precision_is_refused():
    with pytest.raises(TypeError, match="float32 or float64"):
        solve_qp(torch.eye(2, dtype=torch.float16), torch.ones(2))


def test_units_of_x_do_not_spoil_a_program_with_bounds():
    """Bounds can be scaled for nothing, so they must not set the unit of a column; H spans 26 orders of magnitude."""
    units = torch.tensor([1e-5, 1.0, 1e4, 1e8], dtype=torch.float64)
    H = torch.tensor([[4.0, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, 0], [1, 0, 0, 5]], dtype=torch.float64)
    g, A, b = torch.tensor([1.0, -2, 3, -4], dtype=torch.float64), torch.ones(1, 4, dtype=torch.float64), 1.5
    b = torch.tensor([b], dtype=torch.float64)
    plain = solve_qp(H, g, A=A, b=b, bounds=(-0.7, 1.0))
    scaled = solve_qp(
        H / units[:, None] / units, g / units, A=A / units, b=b, bounds=(-0.7 * units, 1.0 * units), certificates=False
    )
    assert bool(plain.solved)
    assert bool(scaled.solved)
    torch.testing.assert_close(scaled.x / units, plain.x, rtol=1e-7, atol=1e-8)


SCALES = (2.0**-1000, 2.0**-400, 2.0**-54, 1.0, 2.0**54, 2.0**400)
"""Units of cost, of rows and of x: powers of two, which change no digit."""


@pytest.mark.parametrize("cost", SCALES)
@pytest.mark.parametrize("row", [2.0**-300, 2.0**-40, 1.0, 2.0**40])
def test_units_of_the_cost_and_of_rows_change_no_digit_of_the_solution(cost, row):
    H, g = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=F64), torch.tensor([-2.0, -3.0], dtype=F64)
    C, u = torch.tensor([[1.0, 2.0]], dtype=F64), torch.tensor([1.5], dtype=F64)
    plain = solve_qp(H, g, C=C, u=u, bounds=(0.0, None))
    scaled = solve_qp(cost * H, cost * g, C=row * C, u=row * u, bounds=(0.0, None))
    assert plain.solved
    assert scaled.solved, scaled.status
    assert torch.equal(plain.x, scaled.x)
    assert torch.equal(plain.z * (cost / row), scaled.z)
    assert int(plain.iterations) == int(scaled.iterations)
    line = solve_qp(0 * H, cost * g, C=row * C, u=row * u, bounds=(0.0, None))
    assert line.solved, line.status
    torch.testing.assert_close(line.x, torch.tensor([1.5, 0.0], dtype=F64), atol=1e-9, rtol=0)


@pytest.mark.parametrize("size", [1e-100, 1e-10, 1.0, 1e10])
def test_units_of_x_leave_the_accuracy(size):
    H, g = torch.eye(2, dtype=F64) / size**2, torch.tensor([-2.0, -2.0], dtype=F64) / size
    found = solve_qp(H, g, C=torch.ones(1, 2, dtype=F64), u=torch.tensor([size], dtype=F64))
    corner = solve_qp(0 * H, g, bounds=(0.0, size))
    assert found.solved, found.status
    assert corner.solved, corner.status
    torch.testing.assert_close(found.x / size, torch.full((2,), 0.5, dtype=F64), atol=1e-8, rtol=0)
    torch.testing.assert_close(corner.x / size, torch.ones(2, dtype=F64), atol=1e-8, rtol=0)


def test_plain_numbers_keep_the_digits_of_float64():
    H, g = torch.eye(2, dtype=F64), torch.tensor([-2.0, -2.0], dtype=F64)
    assert solve_qp(H, g, bounds=(None, 0.1)).x.tolist() == pytest.approx([0.1, 0.1], abs=1e-15)
    assert solve_qp(H, g, C=[[1.0, 0.0]], u=[0.1]).x[0] == pytest.approx(0.1, abs=1e-15)


def test_a_small_negative_curvature_beside_a_steep_cost_is_not_convex():
    H = torch.diag(torch.tensor([1.0, -1e-12], dtype=F64)) * 1e-6
    assert solve_qp(H, torch.ones(2, dtype=F64), bounds=(-1.0, 1.0)).status is QPStatus.NOT_CONVEX
