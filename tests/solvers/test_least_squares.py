"""least_squares: certified fits, closed forms, forms of x0, robust losses, honest ends."""

import itertools

import numpy as np
import pytest
import torch

from gradwright.solvers import Status, minimize
from gradwright.solvers.least_squares import RULES, least_squares
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.residuals import LOSSES, Dogleg, LevenbergMarquardt
from gradwright.solvers.residuals.boxed import Boxed
from gradwright.solvers.residuals.linearization import Dense, Products, _minimum_norm
from tests.solvers.nist import MODELS, problem
from tests.solvers.problems import F64, tensor

EVERY = list(RULES)


def line(seed=0, rows=30):
    generator = torch.Generator().manual_seed(seed)
    A = torch.randn(rows, 3, generator=generator, dtype=F64) * tensor(1.0, 1e3, 1e-4)
    return A, torch.randn(rows, generator=generator, dtype=F64)


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("name", MODELS)
def test_every_nist_problem_from_both_starts(name, start):
    p = problem(name)
    fit = least_squares(p.residuals, getattr(p, start))
    assert fit.success, fit
    if name == "Lanczos1":  # its certified residual, 1.4e-25, lies below the rounding of the data in float64
        assert 2 * fit.cost < 1e-24
    else:
        assert abs(2 * fit.cost / p.rss - 1) < 1e-9
        torch.testing.assert_close(fit.standard_errors(), p.deviation, rtol=1e-4, atol=0)
    assert ((fit.x - p.certified).abs() <= 1e-6 * (p.certified.abs() + p.deviation)).all()


@pytest.mark.parametrize("name", ["Misra1a", "Thurber", "Hahn1", "Rat43", "Eckerle4", "ENSO", "Kirby2"])
@pytest.mark.parametrize("method", ["dogleg", "gauss-newton"])
def test_other_rules_from_the_near_start(name, method):
    p = problem(name)
    fit = least_squares(p.residuals, p.start2, method=method)
    assert abs(2 * fit.cost / p.rss - 1) < 1e-9
    assert fit.success or fit.status in (Status.NOISE_FLOOR, Status.STALLED)


@pytest.mark.parametrize("method", EVERY)
def test_a_linear_problem_ends_at_the_normal_equations(method):
    A, b = line()
    fit = least_squares(lambda x: A @ x - b, torch.ones(3, dtype=F64), method=method)
    assert fit.success
    expected = np.linalg.lstsq(A.numpy(), b.numpy(), rcond=None)[0]
    np.testing.assert_allclose(fit.x.numpy(), expected, rtol=1e-6)
    residual = A.numpy() @ expected - b.numpy()
    covariance = residual @ residual / 27 * np.linalg.inv(A.numpy().T @ A.numpy())
    np.testing.assert_allclose(fit.covariance().numpy(), covariance, rtol=1e-6)


def test_a_plateau_is_not_called_a_solution():
    fit = least_squares(lambda x: torch.exp(-x[:1]) * 1e-30 + 1.0, tensor(80.0))
    assert not fit.success
    certain = problem("BoxBOD")
    far = least_squares(certain.residuals, tensor(170.0, 100.0), maxiter=50)
    assert not far.success or 2 * far.cost < 1.01 * certain.rss


@pytest.mark.parametrize("method", EVERY)
def test_a_run_does_not_depend_on_the_units(method):
    A, b = line()
    units = tensor(1e-6, 1.0, 1e5)

    def residuals(x):
        return torch.tanh(A * tensor(1.0, 1e-3, 1e4)) @ x + 0.1 * (x * x).sum() - b

    plain = least_squares(residuals, torch.ones(3, dtype=F64), method=method)
    other = least_squares(lambda z: 1e6 * residuals(z * units), 1 / units, method=method)
    assert plain.success
    assert other.success
    assert abs(plain.nfev - other.nfev) <= 1
    torch.testing.assert_close(other.x * units, plain.x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "linear"])
def test_robust_losses_agree_with_scipy(loss):
    optimize = pytest.importorskip("scipy.optimize")
    A, b = line(rows=40)
    A = A / A.norm(dim=0)
    b = A @ tensor(1.0, -2.0, 3.0) + 0.05 * b
    b[::7] += 5.0
    ours = least_squares(lambda x: A @ x - b, torch.zeros(3, dtype=F64), loss=loss, f_scale=0.1, gtol=1e-9)
    theirs = optimize.least_squares(
        lambda x: A.numpy() @ x - b.numpy(), ours.x.numpy(), jac=lambda x: A.numpy(), loss=loss, f_scale=0.1,
        ftol=1e-15, xtol=1e-15, gtol=1e-13,
    )  # fmt: skip
    assert ours.success, ours
    assert ours.cost <= theirs.cost * (1 + 1e-9)
    np.testing.assert_allclose(ours.x.numpy(), theirs.x, atol=1e-5)


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "linear"])
def test_robust_shapes_are_consistent_derivatives(loss):
    z = torch.linspace(0.05, 4.0, 50, dtype=F64).requires_grad_()
    value, weight, bend = LOSSES[loss](z)
    first = torch.autograd.grad(value.sum(), z, create_graph=True)[0]
    torch.testing.assert_close(weight, first)
    torch.testing.assert_close(bend.detach(), torch.autograd.grad(first.sum(), z)[0])


@pytest.mark.parametrize("shape", [(12, 4), (4, 12), (6, 6)])
def test_damped_and_full_steps_against_plain_algebra(shape):
    generator = torch.Generator().manual_seed(1)
    J, r = torch.randn(*shape, generator=generator, dtype=F64), torch.randn(shape[0], generator=generator, dtype=F64)
    D = torch.rand(shape[1], generator=generator, dtype=F64) + 0.5
    damped = np.linalg.solve((J.T @ J + 0.3 * torch.diag(D**2)).numpy(), -(J.T @ r).numpy())
    products = Products(LinearOperator(shape, lambda v: J @ v, lambda u: J.T @ u), r, rtol=1e-12)
    for linear in (Dense(J, r), products):
        np.testing.assert_allclose(linear.damped(0.3, D).numpy(), damped, rtol=1e-8)
        least = -np.linalg.pinv((J / D).numpy()) @ r.numpy() / D.numpy()
        np.testing.assert_allclose(linear.full(D).numpy(), least, rtol=1e-6)
    assert float((Dense(J, r).apply(D) ** 2).sum()) == pytest.approx(float(((J @ D) ** 2).sum()))


def test_a_rank_deficient_matrix_gives_the_shortest_step():
    A = tensor(1.0, 2.0)[:, None] @ tensor(3.0, 4.0)[None]
    torch.testing.assert_close(_minimum_norm(A, tensor(1.0, 2.0)), -tensor(3.0, 4.0) / 25)


def test_all_ways_to_the_jacobian_agree():
    p = problem("Misra1a")
    slopes = lambda x: torch.stack([1 - torch.exp(-x[1] * p.x), x[0] * p.x * torch.exp(-x[1] * p.x)], dim=1)  # noqa: E731
    plain = least_squares(p.residuals, p.start1)
    for jac in ("rows", "columns", "3-point", slopes):
        fit = least_squares(p.residuals, p.start1, jac)
        torch.testing.assert_close(fit.x, plain.x, rtol=1e-6, atol=0)
    fit = least_squares(p.residuals, p.start2, tr_solver="lsmr")
    assert fit.jacobian is None
    torch.testing.assert_close(fit.x, plain.x, rtol=1e-5, atol=0)


def test_numpy_inside_is_fine_with_differences():
    def residuals(x):
        return torch.from_numpy(np.array([x[0].item() - 3, 10 * (x[1].item() - x[0].item() ** 2)]))

    fit = least_squares(residuals, tensor(1.0, 1.0), "3-point")
    assert fit.success
    torch.testing.assert_close(fit.x, tensor(3.0, 9.0), rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match="3-point"):
        least_squares(residuals, tensor(1.0, 1.0))


def test_dicts_modules_and_tuples():
    A, b = line()
    A = A / A.norm(dim=0)
    tensor_fit = least_squares(lambda x: A @ x - b, torch.zeros(3, dtype=F64))
    fit = least_squares(
        lambda x: (A[:10] @ torch.cat([x["a"], x["b"]]) - b[:10], A[10:] @ torch.cat([x["a"], x["b"]]) - b[10:]),
        {"a": torch.zeros(2, dtype=F64), "b": torch.zeros(1, dtype=F64)},
    )
    torch.testing.assert_close(torch.cat([fit.x["a"], fit.x["b"]]), tensor_fit.x)
    model = torch.nn.Linear(3, 1, bias=False, dtype=F64)
    fit = least_squares(lambda net: net(A)[:, 0] - b, model)
    assert fit.success
    torch.testing.assert_close(model.weight.detach()[0], tensor_fit.x)


def test_more_unknowns_than_residuals():
    fit = least_squares(lambda x: torch.stack([x.sum() - 1, (x * x).sum() - 3]), torch.linspace(0, 1, 5, dtype=F64))
    assert fit.success, fit
    assert fit.cost < 1e-20
    with pytest.raises(ValueError, match="more residuals"):
        fit.covariance()


def test_trials_that_are_not_finite_are_too_far():
    fit = least_squares(lambda x: torch.log(x) + 3, tensor(5.0), method=LevenbergMarquardt(radius=100.0))
    assert fit.success
    torch.testing.assert_close(fit.x, torch.exp(tensor(-3.0)))
    bad = least_squares(lambda x: torch.log(x), tensor(-1.0, 1.0))
    assert bad.status is Status.NON_FINITE
    assert "1 of 2 residuals" in bad.message


def test_a_random_function_and_a_wrong_jacobian_never_succeed():
    generator = torch.Generator().manual_seed(0)  # its own, so that nothing tells before the search does
    fit = least_squares(lambda x: x - torch.rand(3, generator=generator), torch.zeros(3), maxiter=100)
    assert not fit.success
    wrong = least_squares(lambda x: x - 1, tensor(0.0, 3.0), lambda x: -torch.eye(2, dtype=F64))
    assert not wrong.success


@pytest.mark.parametrize("limit", [{"max_nfev": 3}, {"maxiter": 2}, {"max_seconds": 1e-9}])
def test_limits(limit):
    p = problem("MGH09")
    fit = least_squares(p.residuals, p.start1, **limit)
    assert fit.status.name.startswith("MAX_")
    assert fit.cost <= float((p.residuals(p.start1) ** 2).sum()) / 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "newton"}, "known are lm"),
        ({"loss": "l1"}, "soft_l1"),
        ({"f_scale": 2.0}, "no effect"),
        ({"loss": "huber", "f_scale": -1.0}, "positive"),
        ({"jac": "2-point"}, "3-point"),
        ({"ftol": 1e-8}, "no sign of a solution"),
        ({"method": "LMM"}, "did you mean 'lm'"),
        ({"x_scale": "none"}, "typical sizes"),
        ({"x_scale": 0.0}, "positive"),
        ({"gtol": -1.0}, "gtol=-1.0"),
        ({"tr_solver": "qr"}, "lsmr"),
        ({"tr_solver": "lsmr", "jac": "rows"}, "ignored"),
        ({"options": {"lambda": 1.0}}, "no option 'lambda'"),
        ({"method": Dogleg(), "options": {"radius": 1.0}}, "set its fields"),
    ],
)
def test_bad_settings_are_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        least_squares(lambda x: x - 1, tensor(0.0, 1.0), **arguments)


def by_every_set(J, r, lower, upper, damping, D):
    """min ‖Jp + r‖² + λ‖Dp‖² over a box, by trying which unknowns lie on which bound."""
    A, b = np.vstack([J, np.sqrt(damping) * np.diag(D)]), np.concatenate([r, np.zeros(len(D))])
    best = np.inf
    for places in itertools.product((0, 1, 2), repeat=len(D)):
        p = np.where(np.array(places) == 1, lower, upper)
        free = np.array(places) == 0
        if free.any():
            p[free] = np.linalg.lstsq(A[:, free], -b - A[:, ~free] @ p[~free], rcond=None)[0]
        if np.all(p >= lower - 1e-12) and np.all(p <= upper + 1e-12):
            best = min(best, float(np.sum((A @ p + b) ** 2)))
    return best


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", [(9, 4), (3, 4), (4, 4)])
def test_steps_inside_a_box_against_every_set_of_bounds(shape, seed):
    rng = np.random.default_rng(seed)
    J, r, D = rng.normal(size=shape) * [1, 10, 0.1, 1], rng.normal(size=shape[0]), rng.uniform(0.5, 2, 4)
    if seed % 3 == 0:
        J[:, 2] = J[:, 0] - J[:, 1]
    lower, upper = -rng.uniform(0, 0.5, 4), rng.uniform(0, 0.5, 4)
    lower[seed % 4] = 0.0
    if seed % 2:
        upper[seed % 4] = 0.0
    linear = Boxed(Dense(*map(torch.from_numpy, (J, r))), *map(torch.from_numpy, (lower, upper)))
    for damping in (0.0, 1e-6, 0.3):
        scale = torch.from_numpy(D)
        p = linear.damped(damping, scale) if damping else linear.full(scale)
        assert ((p >= linear.lower) & (p <= linear.upper)).all()
        rest, moved = J @ p.numpy() + r, D * p.numpy()
        value = float(rest @ rest + damping * moved @ moved)
        assert value == pytest.approx(by_every_set(J, r, lower, upper, damping, D), rel=1e-9, abs=1e-12)
        assert linear.fall(p, damping, scale) == pytest.approx(0.5 * float(r @ r - rest @ rest), abs=1e-12)


def squeezed(seed=0):
    """A fit whose solution lies on bounds: its residuals, start and box, and SciPy's answer."""
    t = torch.linspace(0, 4, 20, dtype=F64)
    data = 3 * torch.exp(-0.5 * t) + 0.1 * torch.sin(7 * t)
    lower, upper = tensor(0.0, 0.6, 0.0), tensor(2.5, 2.0, 10.0)
    return lambda x: x[0] * torch.exp(-x[1] * t) + x[2] - data, torch.ones(3, dtype=F64), lower, upper


@pytest.mark.parametrize("method", ["lm", "trf", "TRF", "dogbox", None])
def test_bounds_agree_with_scipy_and_are_met_exactly(method):
    scipy = pytest.importorskip("scipy.optimize")
    residuals, start, lower, upper = squeezed()
    known = scipy.least_squares(
        lambda x: residuals(torch.from_numpy(x)).numpy(), start.numpy(), bounds=(lower.numpy(), upper.numpy())
    )
    fit = least_squares(residuals, start, bounds=(lower, upper), method=method)
    assert fit.success, fit
    assert fit.fun <= known.cost * (1 + 1e-9)
    torch.testing.assert_close(fit.x, torch.from_numpy(known.x), atol=1e-4, rtol=0)
    assert fit.extra["active_mask"].tolist() == known.active_mask.tolist()
    assert torch.equal(fit.x[0], upper[0]), "the bound that is in the way"


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_a_solution_inside_wide_bounds_is_that_without(loss):
    p = problem("Misra1a")
    plain = least_squares(p.residuals, p.start2, loss=loss)
    wide = least_squares(p.residuals, p.start2, loss=loss, bounds=(0.0, 1e4))
    assert wide.success
    torch.testing.assert_close(wide.x, plain.x, rtol=1e-7, atol=0)
    assert not wide.extra["active_mask"].any()
    none = least_squares(p.residuals, p.start2, loss=loss, bounds=(-np.inf, np.inf))
    assert torch.equal(none.x, plain.x)


@pytest.mark.parametrize("name", ["MGH09", "Thurber", "Hahn1", "BoxBOD", "Eckerle4"])
def test_nist_problems_with_one_side_closed_at_the_solution(name):
    p = problem(name)
    for sign in (1.0, -1.0):
        upper = torch.where(
            torch.arange(len(p.certified)) == 0, p.certified[0] - sign * 0.1 * p.certified[0].abs(), torch.inf
        )
        box = (-torch.inf, upper) if sign > 0 else (upper * torch.where(upper.isinf(), -1.0, 1.0), torch.inf)
        x0 = p.start2.clone()
        x0[0] = upper[0]
        fit = least_squares(p.residuals, x0, bounds=box)
        assert fit.success, fit
        assert fit.x[0] == upper[0], "the optimum lies beyond"
        rest = least_squares(lambda z, p=p, at=upper[0]: p.residuals(torch.cat([at[None], z])), x0[1:])
        assert fit.fun == pytest.approx(rest.fun, rel=1e-8)


def test_bounds_of_dicts_and_in_float32():
    residuals, start, lower, upper = squeezed()
    plain = least_squares(residuals, start, bounds=(lower, upper))
    cut = lambda x: {"a": x[:2].clone(), "b": x[2].clone()}  # noqa: E731
    joined = lambda x: residuals(torch.cat([x["a"], x["b"][None]]))  # noqa: E731
    fit = least_squares(joined, cut(start), bounds=(cut(lower), cut(upper)))
    assert torch.equal(torch.cat([fit.x["a"], fit.x["b"][None]]), plain.x)
    single = least_squares(
        lambda x: residuals(x.double()).float(), start.float(), bounds=(lower.float(), upper.float())
    )
    assert ((single.x >= lower.float()) & (single.x <= upper.float())).all()
    torch.testing.assert_close(single.x.double(), plain.x, atol=2e-3, rtol=0)


def test_a_start_outside_moves_in_and_equal_bounds_hold():
    residuals, _, lower, upper = squeezed()
    with pytest.warns(UserWarning, match="moves to the nearest feasible point"):
        fit = least_squares(residuals, tensor(9.0, 9.0, 9.0), bounds=(lower, upper))
    assert fit.success
    held = least_squares(residuals, tensor(1.0, 0.7, 1.0), bounds=(tensor(0.0, 0.7, 0.0), tensor(2.5, 0.7, 9.0)))
    assert held.success
    assert held.x[1] == 0.7
    assert held.extra["active_mask"][1] == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"method": "dogleg"}, 'Dogleg keeps no bounds.*"lm"'), ({"tr_solver": "lsmr"}, "l-bfgs-b")],
)
def test_bounds_that_would_be_ignored_are_refused(settings, words):
    residuals, start, lower, upper = squeezed()
    with pytest.raises(ValueError, match=words):
        least_squares(residuals, start, bounds=(lower, upper), **settings)


@pytest.mark.slow
def test_the_way_by_minimize_agrees():
    residuals, start, lower, upper = squeezed()

    def fun(x):
        r = residuals(x)
        return 0.5 * (r * r).sum(), r

    result = minimize(fun, start, "sqp", hvp="gauss-newton", bounds=(lower, upper))
    assert result.success
    fit = least_squares(residuals, start, bounds=(lower, upper))
    torch.testing.assert_close(result.x, fit.x, atol=1e-6, rtol=0)
