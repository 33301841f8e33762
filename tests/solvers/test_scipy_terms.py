"""What SciPy's users write runs, or is refused with what to write instead."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gradwright.solvers import METHODS, least_squares, minimize, minimize_batch
from gradwright.solvers.registry import known_name
from tests.solvers.problems import F64, rosenbrock, tensor

START = tensor(-1.2, 1.0)


def same(first, second):
    assert torch.equal(first.x, second.x)
    assert (first.nfev, first.nhev, first.nit) == (second.nfev, second.nhev, second.nit)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("BFGS", "bfgs"),
        ("L-BFGS-B", "l-bfgs-b"),
        ("Newton-CG", "newton-cg"),
        ("trust_ncg", "trust-ncg"),
        ("CG", "nonlinear-cg"),
        ("SLSQP", "sqp"),
        ("trust-constr", "sqp"),
    ],
)
def test_methods_by_scipys_names_in_any_case(theirs, ours):
    for name in (theirs, theirs.lower(), theirs.upper()):
        assert known_name(name) == ours
    if ours != "sqp":
        same(minimize(rosenbrock, START, theirs), minimize(rosenbrock, START, ours))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("lbfgs", "did you mean .*'l-bfgs'"),
        ("NewtonCG", "did you mean 'newton-cg'"),
        ("SLSQ", "did you mean 'slsqp'"),
        ("Nelder-Mead", "without derivatives"),
        ("TNC", "'l-bfgs-b', which keeps bounds"),
        ("trust-krylov", "'trust-ncg'"),
        ("genetic", "known are auto, newton-cg"),
    ],
)
def test_other_names_are_refused_with_what_to_use(method, words):
    with pytest.raises(ValueError, match=words):
        minimize(rosenbrock, START, method)


def test_every_near_miss_of_a_method_is_told():
    for name in METHODS:
        with pytest.raises(ValueError, match=f"did you mean.*'{name}'"):
            minimize(rosenbrock, START, name + "x")


def test_arguments_in_scipys_order_are_refused_by_name():
    with pytest.raises(TypeError, match=r"args=\.\.\. by name"):
        minimize(lambda x, a: a * (x * x).sum(), START, (2.0,))


def test_tol_and_options_are_the_settings_of_the_same_name():
    plain = minimize(rosenbrock, START, "bfgs", gtol=1e-3, maxiter=20)
    same(plain, minimize(rosenbrock, START, "BFGS", tol=1e-3, options={"maxiter": 20}))
    same(plain, minimize(rosenbrock, START, "BFGS", options={"gtol": 1e-3, "maxiter": 20, "disp": False}))
    assert minimize(rosenbrock, START, "bfgs", options={"maxiter": 3}).status.name == "MAX_ITERATIONS"
    assert minimize(rosenbrock, START, "L-BFGS-B", options={"maxfun": 5}).nfev <= 5
    few = minimize(rosenbrock, START, "L-BFGS-B", options={"maxcor": 3})
    same(few, minimize(rosenbrock, START, "l-bfgs-b", options={"memory": 3}))


def test_disp_prints_the_result(capsys):
    result = minimize(rosenbrock, START, options={"disp": True})
    assert capsys.readouterr().out.strip() == str(result)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tol": 1e-3, "gtol": 1e-3}, "gtol and tol are both given"),
        ({"maxiter": 3, "options": {"maxiter": 4}}, "maxiter=3 is given, and 'maxiter' in options too"),
        ({"maxfev": 3, "options": {"maxfun": 4}}, "maxfev=3 is given, and 'maxfun'"),
        ({"hvp": "auto", "hessp": lambda x, v: v}, "hvp and hessp are both given"),
        ({"options": {"ftol": 1e-9}}, "'ftol'.*give gtol"),
        ({"options": {"return_all": True}}, "result.trace"),
        ({"method": "bfgs", "options": {"maxls": 5}}, "StrongWolfe"),
        ({"method": "bfgs", "options": {"maxitre": 5}}, "no option 'maxitre'"),
        ({"batch": True, "options": {"disp": True}}, "disp would be ignored"),
    ],
)
def test_settings_given_twice_or_of_no_effect_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        minimize(rosenbrock, START[None] if "batch" in settings else START, **settings)


def test_a_wrong_kind_of_derivative_is_refused_by_name():
    for settings, words in (({"jac": "2-point"}, "jac='2-point'"), ({"hess": "2-point"}, "hess='2-point'")):
        with pytest.raises(TypeError, match=words):
            minimize(rosenbrock, START, **settings)
    same(minimize(rosenbrock, START, jac=False), minimize(rosenbrock, START))


def test_hessp_takes_the_place_of_hvp():
    weights = tensor(1.0, 10.0)
    fun = lambda x, shift: (weights * (x - shift) ** 2).sum()  # noqa: E731
    seen = []

    def product(x, v, shift):
        seen.append(v)
        return 2 * weights * v

    result = minimize(fun, START, "Newton-CG", hessp=product, args=(tensor(3.0, -1.0),))
    assert result.success
    assert len(seen) == result.nhev > 0
    torch.testing.assert_close(result.x, tensor(3.0, -1.0))


def test_every_form_of_callback_is_called_as_in_scipy():
    ours, points, told = [], [], []
    result = minimize(rosenbrock, START, "bfgs", callback=lambda x, iteration: ours.append((x, iteration.value)))
    minimize(rosenbrock, START, "bfgs", callback=points.append)

    def callback(intermediate_result):
        told.append(intermediate_result)

    minimize(rosenbrock, START, "bfgs", callback=callback)
    assert len(ours) == result.nit + 1, "the start too"
    assert len(points) == len(told) == result.nit, "as SciPy does, after each iteration"
    for (x, value), point, each in zip(ours[1:], points, told):
        assert torch.equal(x, point)
        assert torch.equal(x, each["x"])
        assert each.fun == value
    assert [each.nit for each in told] == list(range(1, result.nit + 1))
    assert told[-1].nfev == result.nfev
    kept = []
    minimize(rosenbrock, START, "bfgs", callback=lambda xk, kept=kept: kept.append(xk))
    assert len(kept) == result.nit


def test_every_form_of_callback_may_stop():
    def after_three(intermediate_result):
        if intermediate_result.nit == 3:
            raise StopIteration

    result = minimize(rosenbrock, START, callback=after_three)
    assert (result.status.name, result.nit) == ("STOPPED", 3)
    t = torch.linspace(0, 1, 9, dtype=F64)
    fit = least_squares(lambda x: torch.exp(x[0] * t) - torch.exp(3 * t), tensor(0.0), callback=after_three)
    assert (fit.status.name, fit.nit) == ("STOPPED", 3)
    with pytest.raises(TypeError, match="callback is a int"):
        minimize(rosenbrock, START, callback=3)


def test_one_number_is_a_bound_of_every_unknown():
    def fun(x):
        return ((x - 5) ** 2).sum()

    for bounds in (SimpleNamespace(lb=np.array([0.0]), ub=np.array([2.0])), SimpleNamespace(lb=0, ub=2)):
        torch.testing.assert_close(
            minimize(fun, torch.ones(3, dtype=F64), bounds=bounds).x, torch.full((3,), 2.0, dtype=F64)
        )
    optimize = pytest.importorskip("scipy.optimize")
    both = {"a": torch.ones(2, dtype=F64), "b": torch.ones((), dtype=F64)}
    result = minimize(lambda x: ((x["a"] - 5) ** 2).sum() + (x["b"] - 5) ** 2, both, bounds=optimize.Bounds(0, 2))
    torch.testing.assert_close(result.x["b"], torch.tensor(2.0, dtype=F64))


def test_results_are_read_by_item_too():
    result = minimize(rosenbrock, START)
    assert result["x"] is result.x
    assert result["success"] is True
    assert "message" in result
    assert dict(result)["fun"] == result.fun
    with pytest.raises(KeyError, match="did you mean 'message'"):
        result["mesage"]
    with pytest.raises(KeyError, match="it has x, fun"):
        result["hess_inv"]
    rows = minimize_batch(lambda x: (x * x).sum(1), torch.ones(2, 3, dtype=F64))
    assert rows["success"].all()
    fit = least_squares(lambda x: x - 1, START)
    assert fit["cost"] == fit.cost == fit["fun"]
