"""minimize: every method on problems with known minima, in the forms that x0 may have."""

import warnings

import numpy as np
import pytest
import torch

from gradwright.solvers import Backtracking, LineSearch, Status, StrongWolfe, TrustRegion, minimize
from gradwright.solvers.descents import LBFGS
from tests.solvers.problems import F64, KNOWN, SMOOTH, Logistic, rosenbrock, tensor


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize("name", KNOWN)
def test_finds_the_minimum(name, method):
    known = KNOWN[name]
    result = minimize(known.fun, known.x0, method)
    assert result.success, result
    assert result.fun <= known.least + 1e-7
    assert result.fun == float(known.fun(result.x))
    assert float(result.jac.abs().max()) <= 1e-6


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize("name", KNOWN)
def test_float32_ends_near_the_minimum_and_says_honestly_how(name, method):
    known = KNOWN[name]
    result = minimize(known.fun, known.x0.float(), method)
    assert result.x.dtype == torch.float32
    assert result.fun <= known.least + 1e-4 * max(1.0, abs(known.least))
    assert not result.success or float(result.jac.abs().max()) <= 1e-5


def test_agrees_with_scipy_on_a_logistic_regression():
    optimize = pytest.importorskip("scipy.optimize")
    problem = Logistic()
    data, labels = problem.data.numpy(), problem.labels.numpy()

    def value(w):
        return np.logaddexp(0, -labels * (data @ w)).mean() + 1e-2 * w @ w

    theirs = optimize.minimize(value, np.zeros(8), tol=1e-12)
    for method in SMOOTH:
        ours = minimize(problem, torch.zeros(8, dtype=F64), method, gtol=1e-10)
        assert ours.success
        np.testing.assert_allclose(ours.x.numpy(), theirs.x, atol=1e-5)


def test_a_search_is_a_field_of_the_method():
    for search in (Backtracking(), StrongWolfe()):
        result = minimize(rosenbrock, tensor(-1.2, 1.0), LineSearch(LBFGS(memory=5), search))
        assert result.success
        assert result.fun < 1e-10


def test_options_are_the_fields_of_the_method():
    result = minimize(rosenbrock, tensor(-1.2, 1.0), "l-bfgs", options={"memory": 3, "search": StrongWolfe()})
    assert result.success
    with pytest.raises(ValueError, match=r"no option 'memroy'.*memory"):
        minimize(rosenbrock, tensor(-1.2, 1.0), "l-bfgs", options={"memroy": 3})


@pytest.mark.parametrize("precondition", ["jacobi", "l-bfgs"])
@pytest.mark.parametrize("method", ["trust-ncg", "newton-cg"])
def test_preconditioners_keep_the_minimum_and_save_products(method, precondition):
    weights = torch.logspace(0, 7, 24, dtype=F64)
    plain, better = (
        minimize(
            lambda x: 0.5 * (weights * x * x).sum() + (x**4).sum(), torch.ones(24, dtype=F64), method, options=options
        )
        for options in ({}, {"precondition": precondition})
    )
    assert better.success
    assert better.fun < 1e-10
    if precondition == "l-bfgs":
        assert better.nhev < plain.nhev


def test_a_dict_comes_back_as_a_dict():
    start = {"a": torch.zeros(2, 2, dtype=F64), "b": torch.tensor(0.0, dtype=F64)}
    result = minimize(lambda x: ((x["a"] - 1) ** 2).sum() + (x["b"] + 2) ** 2, start)
    assert result.success
    torch.testing.assert_close(result.x["a"], torch.ones(2, 2, dtype=F64))
    torch.testing.assert_close(result.x["b"], torch.tensor(-2.0, dtype=F64))
    assert result.jac["a"].shape == (2, 2)
    assert not start["a"].any(), "the start was written to"


def test_a_module_holds_the_best_point_at_the_end():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1, dtype=F64)
    data = torch.randn(20, 3, dtype=F64)
    target = data @ tensor(1.0, -2.0, 0.5)[:, None] + 0.25
    result = minimize(lambda net: (net(data) - target).square().mean(), model)
    assert result.success
    torch.testing.assert_close(model.weight.detach(), tensor(1.0, -2.0, 0.5)[None], atol=1e-5, rtol=0)
    torch.testing.assert_close(model.bias.detach(), tensor(0.25), atol=1e-5, rtol=0)


def test_a_user_gradient_counts_and_is_used():
    calls = []

    def gradient(x):
        calls.append(1)
        return 2 * (x - 3)

    result = minimize(lambda x: ((x - 3) ** 2).sum(), torch.zeros(2, dtype=F64), "l-bfgs", jac=gradient)
    assert result.success
    assert len(calls) == result.njev
    pair = minimize(lambda x: (((x - 3) ** 2).sum(), 2 * (x - 3)), torch.zeros(2, dtype=F64), "l-bfgs", jac=True)
    assert pair.success
    torch.testing.assert_close(pair.x, result.x)


def test_a_rejected_step_costs_no_gradient_and_no_product():
    result = minimize(rosenbrock, tensor(-1.2, 1.0), "trust-ncg")
    assert result.nfev > result.nit + 1, "nothing was rejected on this valley"
    products = [b.nhev - a.nhev for a, b in zip(result.trace, result.trace[1:])]
    assert max(products) <= 2, "at most n products between two accepted iterates, whatever was rejected in between"


def test_callback_sees_every_iterate_and_may_stop():
    seen = []

    def callback(x, iteration):
        seen.append(iteration.value)
        if len(seen) == 4:
            raise StopIteration

    result = minimize(rosenbrock, tensor(-1.2, 1.0), callback=callback)
    assert result.status.name == "STOPPED"
    assert not result.success
    assert [each.value for each in result.trace] == seen
    assert result.fun == min(seen)


@pytest.mark.parametrize(
    ("limit", "status"),
    [({"maxfev": 7}, "MAX_EVALUATIONS"), ({"maxiter": 3}, "MAX_ITERATIONS"), ({"max_seconds": 1e-9}, "MAX_SECONDS")],
)
@pytest.mark.parametrize("method", SMOOTH)
def test_limits_end_with_the_best_point(method, limit, status):
    result = minimize(rosenbrock, tensor(-1.2, 1.0), method, **limit)
    assert result.status.name == status
    assert result.nfev <= limit.get("maxfev", 1000)
    assert result.fun == min(each.value for each in result.trace) <= float(rosenbrock(tensor(-1.2, 1.0)))


def test_plot_draws_value_and_gradient():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    figure = minimize(rosenbrock, tensor(-1.2, 1.0)).plot()
    assert len(figure.axes) == 2
    assert all(axis.lines for axis in figure.axes)


def test_importing_the_solvers_does_not_import_matplotlib():
    import subprocess
    import sys

    code = "import gradwright.solvers, sys; sys.exit('matplotlib' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_trust_region_takes_a_method_instance():
    assert minimize(rosenbrock, tensor(-1.2, 1.0), TrustRegion(forcing=0.5)).success


@pytest.mark.parametrize(
    "settings",
    [{}, {"method": "trust-ncg", "hvp": "forward-over-reverse"}, {"method": "sqp"}, {"constraints": "disc"}],
    ids=str,
)
def test_under_no_grad_derivatives_are_still_exact(settings):
    disc = {"type": "ineq", "fun": lambda x: 9 - (x * x).sum()}
    settings = {**settings, **({"constraints": disc} if "constraints" in settings else {})}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error", UserWarning)  # a fall-back to finite differences would warn
        result = minimize(rosenbrock, tensor(-1.2, 1.0), **settings)
    assert result.success
    torch.testing.assert_close(result.x, tensor(1.0, 1.0), atol=1e-6, rtol=0)


def test_more_arguments_of_the_function_and_its_derivatives():
    fun = lambda x, a, b: (a * (x - b) ** 2).sum()  # noqa: E731
    a, b = tensor(1.0, 10.0), tensor(3.0, -1.0)
    for more in (
        {},
        {"jac": lambda x, a, b: 2 * a * (x - b), "method": "bfgs"},
        {"hvp": lambda x, v, a, b: 2 * a * v},
        {"hess": lambda x, a, b: 2 * torch.diag(a)},
    ):
        result = minimize(fun, torch.zeros(2, dtype=F64), args=(a, b), **more)
        torch.testing.assert_close(result.x, b, atol=1e-5, rtol=0)
    alone = minimize(lambda x, shift: ((x - shift) ** 2).sum(), torch.zeros(2, dtype=F64), args=2.0)
    torch.testing.assert_close(alone.x, tensor(2.0, 2.0))


def test_a_budget_too_small_for_the_check_of_a_closure_still_gives_a_result():
    model = torch.nn.Linear(2, 1)
    for budget in (1, 2):
        result = minimize(lambda: (model(torch.ones(1, 2)) ** 2).sum(), model, maxfev=budget)
        assert result.status is Status.MAX_EVALUATIONS
