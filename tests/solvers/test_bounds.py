"""Bounds: the Cauchy point against a scan of the path, and problems whose solution lies on the box."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gradwright.solvers import LBFGSB, Backtracking, HagerZhang, LBFGSMemory, Status, minimize
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.quasi_newton.box_model import BoxModel
from tests.solvers.problems import F64, rosenbrock, tensor


def random_model(seed, size=6):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, dtype=F64, generator=generator)

    factor = draw(size, size)
    A = factor @ factor.T + 0.1 * torch.eye(size, dtype=F64)
    memory = LBFGSMemory(size, 3, draw(1))
    for _ in range(4):
        s = draw(size)
        memory.push(s, A @ s)
    lower, upper = -draw(size).abs(), draw(size).abs()
    lower[0], upper[1] = -math.inf, math.inf
    x = torch.minimum(torch.maximum(0.5 * draw(size), lower), upper)
    x[2] = lower[2]
    model = BoxModel(x, draw(size), Bounds(lower, upper), 1 / memory.gamma, memory.columns(), memory.middle_inverse())
    return model, memory.apply


@pytest.mark.parametrize("seed", range(12))
def test_the_cauchy_point_is_the_first_minimum_along_the_path(seed):
    model, apply = random_model(seed)
    point, free = model.cauchy()
    times = torch.linspace(0, 20, 200_001, dtype=F64)
    path = model.box.project(model.x - times[:, None] * model.gradient) - model.x
    B = torch.stack([apply(column) for column in torch.eye(6, dtype=F64)])
    values = path @ model.gradient + 0.5 * ((path @ B) * path).sum(1)
    rises = (values.diff() > 0).nonzero()[:, 0]
    least = values[int(rises[0])] if len(rises) else values[-1]
    found = point - model.x
    assert float(found @ model.gradient + 0.5 * found @ apply(found)) == pytest.approx(float(least), abs=1e-6)
    at_bound = (point == model.box.lower) | (point == model.box.upper)
    assert not (free & at_bound).any()


@pytest.mark.parametrize("seed", range(12))
def test_the_subspace_step_minimises_over_the_free_variables(seed):
    model, _ = random_model(seed)
    wide = BoxModel(model.x, model.gradient, Bounds(model.x - 1e9, model.x + 1e9), model.theta, model.W, model.K)
    cauchy, free = wide.cauchy()
    assert free.all()
    step = wide.subspace(cauchy, free) - wide.x
    B = wide.theta * torch.eye(6, dtype=F64) - wide.W.T @ torch.linalg.inv(wide.K) @ wide.W
    torch.testing.assert_close(step, -torch.linalg.solve(B, wide.gradient), rtol=1e-7, atol=1e-9)
    cauchy, free = model.cauchy()
    inside = model.subspace(cauchy, free)
    assert ((inside >= model.box.lower) & (inside <= model.box.upper)).all()
    assert float((inside - model.x) @ model.gradient) < 0


def hs3(x):
    """Hock and Schittkowski 3: f = x₂ + 1e-5 (x₂ − x₁)², x₂ ≥ 0."""
    return x[1] + 1e-5 * (x[1] - x[0]) ** 2


def hs1(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def hs5(x):
    return torch.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1


BOXED = {
    "hs1": (hs1, (-2.0, 1.0), ((-math.inf, -1.5), None), 0.0),
    "hs2": (hs1, (-2.0, 2.5), ((-math.inf, 1.5), None), 4.9412293),
    "hs3": (hs3, (10.0, 1.0), ((-math.inf, 0.0), None), 0.0),
    "hs4": (lambda x: (x[0] + 1) ** 3 / 3 + x[1], (1.125, 0.125), ((1.0, 0.0), None), 8 / 3),
    "hs5": (hs5, (0.0, 0.0), ((-1.5, -3.0), (4.0, 3.0)), -math.sqrt(3) / 2 - math.pi / 3),
    "hs45": (lambda x: 2 - x.prod() / 120, (0.5,) * 5, (0.0, tuple(range(1, 6))), 1.0),
}  # fmt: skip


def vector(side):
    return torch.tensor(side, dtype=F64) if isinstance(side, tuple) else side


@pytest.mark.parametrize("search", [None, Backtracking(), HagerZhang()], ids=["wolfe", "backtracking", "hager-zhang"])
@pytest.mark.parametrize("name", BOXED)
def test_hock_schittkowski_problems_with_bounds(name, search):
    fun, start, (lower, upper), least = BOXED[name]
    seen = []

    def watched(x):
        seen.append(x.detach().clone())
        return fun(x)

    method = LBFGSB() if search is None else LBFGSB(search=search)
    result = minimize(watched, tensor(*start), method, bounds=(vector(lower), vector(upper)))
    assert result.success, result
    # hs2's other local minimum, on the bound, is as good an answer
    assert result.fun == pytest.approx(least, abs=1e-6) or (name == "hs2" and result.fun == pytest.approx(0.0504261879))
    for x in seen:
        assert lower is None or (x >= torch.as_tensor(vector(lower))).all()
        assert upper is None or (x <= torch.as_tensor(vector(upper))).all()


def test_bounds_agree_with_scipy_on_random_quadratics():
    optimize = pytest.importorskip("scipy.optimize")
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        factor = torch.randn(12, 12, dtype=F64, generator=generator)
        A, b = factor @ factor.T + 0.01 * torch.eye(12, dtype=F64), torch.randn(12, dtype=F64, generator=generator)
        ours = minimize(
            lambda x, A=A, b=b: 0.5 * x @ A @ x - b @ x, torch.zeros(12, dtype=F64), bounds=(-0.2, 0.3), gtol=1e-9
        )
        matrix, vector = A.numpy(), b.numpy()
        theirs = optimize.minimize(
            lambda x, A=matrix, b=vector: (0.5 * x @ A @ x - b @ x, A @ x - b),
            np.zeros(12),
            jac=True,
            bounds=[(-0.2, 0.3)] * 12,
            options={"ftol": 1e-15, "gtol": 1e-9},
        )
        assert ours.success
        np.testing.assert_allclose(ours.x.numpy(), theirs.x, atol=1e-6)


def test_equal_bounds_hold_a_variable():
    result = minimize(rosenbrock, tensor(-1.0, 0.5), bounds=(tensor(-math.inf, 0.5), tensor(math.inf, 0.5)))
    assert result.success
    assert float(result.x[1]) == 0.5
    slope = torch.autograd.functional.jacobian(rosenbrock, result.x)
    assert abs(float(slope[0])) < 1e-6


def test_all_variables_at_active_bounds():
    result = minimize(lambda x: x.sum(), tensor(1.0, 2.0), bounds=(tensor(1.0, 2.0), None))
    assert result.status is Status.CONVERGED_GRADIENT
    assert result.nit == 0


def test_a_dict_has_bounds_of_its_own():
    start = {"a": torch.zeros(2, dtype=F64), "b": torch.tensor(0.0, dtype=F64)}
    lower = {"a": tensor(2.0, -math.inf), "b": -1.0}
    result = minimize(lambda x: (x["a"] ** 2).sum() + (x["b"] + 5) ** 2, start, bounds=(lower, None))
    torch.testing.assert_close(result.x["a"], tensor(2.0, 0.0))
    torch.testing.assert_close(result.x["b"], torch.tensor(-1.0, dtype=F64))


def test_an_infeasible_start_is_moved_and_named():
    with pytest.warns(UserWarning, match="x0 violates the bounds in 1 of 2 entries"):
        result = minimize(rosenbrock, tensor(-3.0, 1.0), bounds=(-2.0, 2.0))
    assert result.success


def test_an_unbounded_box_is_unbounded_and_a_bounded_one_is_not():
    open_box = minimize(lambda x: x.sum(), tensor(0.0, 0.0), bounds=(tensor(-1.0, -math.inf), None))
    assert open_box.status is Status.UNBOUNDED
    closed = minimize(lambda x: -(x * x).sum(), tensor(0.5, -0.25), bounds=(-1.0, 2.0))
    assert closed.success
    torch.testing.assert_close(closed.x, tensor(2.0, -1.0))


def test_float32_bounds_are_kept_to_the_last_digit():
    upper = torch.tensor([0.1, 1 / 3])
    result = minimize(lambda x: ((x - 5) ** 2).sum(), torch.zeros(2), bounds=(None, upper))
    assert result.success
    assert torch.equal(result.x, upper)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((1.0, 0.0), r"lower bound is above the upper bound in 2 entries.*1\.0 > 0\.0"),
        ((tensor(0.0, math.nan), None), "NaN"),
        ((tensor(0.0, 0.0, 0.0), None), r"shape \(3,\)"),
        ([(0.0, 1.0)], r"1 entries; give \(lower, upper\)"),
        ("0 <= x", "bounds is a str"),
        ([(0.0, 1.0), (2.0, 3.0)], "give tensors"),
    ],
)
def test_bad_bounds_are_refused_by_name(bounds, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=words):
            minimize(rosenbrock, tensor(0.0, 0.0), bounds=bounds)


def test_bounds_in_scipys_forms():
    def fun(x):
        return ((x - 5) ** 2).sum()

    expected = tensor(1.0, 2.0, 5.0)
    for bounds in (
        [(0, 1), (-1.0, 2), (None, None)],
        SimpleNamespace(lb=[0.0, -1.0, -math.inf], ub=[1.0, 2.0, math.inf]),
    ):
        torch.testing.assert_close(minimize(fun, torch.zeros(3, dtype=F64), bounds=bounds).x, expected)
    torch.testing.assert_close(minimize(fun, torch.zeros(2, dtype=F64), bounds=[(0, 1), (0, None)]).x, tensor(1.0, 5.0))


def test_pairs_that_repeat_each_other_restart_the_memory(monkeypatch):
    refused = []

    def singular(model):
        if len(model.K) and not refused:
            refused.append(model)
            raise torch.linalg.LinAlgError("singular")
        return cauchy(model)

    cauchy = BoxModel.cauchy
    monkeypatch.setattr(BoxModel, "cauchy", singular)
    assert minimize(rosenbrock, tensor(-1.2, 1.0), bounds=(-2.0, 2.0)).success
    assert refused


def test_a_fall_from_far_away_is_not_taken_for_unbounded():
    def well(x):
        return -torch.exp(-((x - 1) ** 2).sum())

    for method, bounds in (("l-bfgs-b", (-50.0, 50.0)), ("sqp", (-50.0, 50.0)), ("bfgs", None), ("newton-cg", None)):
        result = minimize(well, tensor(9.0, 9.0), method, bounds=bounds, gtol=1e-12)
        assert result.status is not Status.UNBOUNDED, method
