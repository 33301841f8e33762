"""SQP and the augmented Lagrangian: known solutions, SciPy's forms, units, and honesty where there is no solution."""

import math

import pytest
import torch

from gradwright.solvers import LBFGSB, Portfolio, Status
from gradwright.solvers.constrained import SQP, AugmentedLagrangian, Constraint
from gradwright.solvers.minimize import minimize
from gradwright.solvers.registry import method_of
from tests.solvers.problems import F64, rosenbrock, tensor

BOTH = ["sqp", "augmented-lagrangian"]


def hs71(x):
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


HS71 = [{"type": "ineq", "fun": lambda x: x.prod() - 25}, {"type": "eq", "fun": lambda x: (x * x).sum() - 40}]
HS71_LEAST = 17.0140172891520  # Hock and Schittkowski (1981)


def stationarity(result, fun, constraints, x0):
    """‖∇f + Jᵀλ + ν‖∞ by autograd here."""
    x = result.x.double().requires_grad_()
    (total,) = torch.autograd.grad(fun(x), x)
    for each, multiplier in zip(constraints, result.extra["multipliers"]):
        value = each["fun"](x).reshape(-1)
        (pull,) = torch.autograd.grad(value @ multiplier.double(), x)
        total = total + pull
    return float((total + result.extra["bound_multipliers"]).abs().max())


@pytest.mark.parametrize("method", BOTH)
def test_hs71_with_multipliers(method):
    result = minimize(hs71, tensor(1, 5, 5, 1), method, bounds=(1, 5), constraints=HS71)
    assert result.success
    assert result.fun == pytest.approx(HS71_LEAST, rel=1e-7)
    assert result.extra["violation"] <= 1e-8
    assert stationarity(result, hs71, HS71, tensor(1, 5, 5, 1)) < 1e-5
    product, sphere = (float(each) for each in result.extra["multipliers"])
    assert product == pytest.approx(-0.55229366, abs=1e-4)  # negative: a lower side pushes
    assert sphere == pytest.approx(0.16146857, abs=1e-4)
    assert float(result.extra["bound_multipliers"][0]) == pytest.approx(-1.08787121, abs=1e-4)


@pytest.mark.parametrize("options", [{"hessian": "exact"}, {"hessian": "bfgs"}])
def test_sqp_with_both_hessians(options):
    result = minimize(hs71, tensor(1, 5, 5, 1), "sqp", bounds=(1, 5), constraints=HS71, options=options)
    assert result.success
    assert result.fun == pytest.approx(HS71_LEAST, rel=1e-7)
    assert (result.nhev > 0) == (options["hessian"] == "exact")


@pytest.mark.parametrize("method", BOTH)
def test_float32(method):
    result = minimize(hs71, tensor(1, 5, 5, 1).float(), method, bounds=(1, 5), constraints=HS71)
    assert result.success
    assert result.x.dtype == torch.float32
    assert result.fun == pytest.approx(HS71_LEAST, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_of_the_value_change_nothing(scale):
    plain = minimize(hs71, tensor(1, 5, 5, 1), bounds=(1, 5), constraints=HS71)
    scaled = minimize(lambda x: scale * hs71(x), tensor(1, 5, 5, 1), bounds=(1, 5), constraints=HS71)
    assert scaled.success
    assert abs(scaled.nit - plain.nit) <= 3
    torch.testing.assert_close(scaled.x, plain.x, rtol=1e-5, atol=1e-5)


def test_units_of_the_unknowns_change_little():
    """x = D y: the matrix is made convex, and the program scaled, in units that the problem itself has."""
    units = tensor(1e-6, 1.0, 1e5, 1e2)
    plain = minimize(hs71, tensor(1, 5, 5, 1), bounds=(1, 5), constraints=HS71)
    scaled = minimize(
        lambda y: hs71(units * y),
        tensor(1, 5, 5, 1) / units,
        bounds=(1 / units, 5 / units),
        constraints=[{**each, "fun": lambda y, c=each["fun"]: c(units * y)} for each in HS71],
        gtol=1e-4,
    )
    assert scaled.fun == pytest.approx(HS71_LEAST, rel=1e-6)
    assert scaled.nit <= plain.nit + 3


def test_the_method_that_is_chosen_where_none_is_asked_for():
    limit = (Constraint(lambda x: x.sum(), upper=1.0),)
    assert isinstance(method_of(None, None, limit, True, 1000), SQP)
    assert isinstance(method_of(None, None, limit, False, 1001), AugmentedLagrangian)
    assert isinstance(method_of(None, None, (), True, 1001), LBFGSB)
    assert isinstance(method_of(None, None, (), False, 10), Portfolio)
    assert method_of("sqp", {"hessian": "bfgs"}, limit, False, 10) == SQP(limit, hessian="bfgs")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: AugmentedLagrangian(growth=1.0), "growth=1.0 must be above 1"),
        (lambda: AugmentedLagrangian(keep=1.0), r"keep=1.0 must lie in \(0, 1\)"),
        (lambda: SQP(ctol=-1.0), "ctol=-1.0"),
        (lambda: SQP(hessian="sr1"), "hessian='sr1' is unknown"),
        (lambda: minimize(hs71, tensor(1, 5, 5, 1), "sqp", options={"memory": 3}), "sqp has no option 'memory'"),
        (lambda: minimize(hs71, tensor(1, 5, 5, 1), "augmented-lagrangian", hvp="auto"), "or use sqp"),
    ],
)
def test_wrong_settings_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_correction_of_second_order_keeps_full_steps():
    """Maratos: on the circle full steps raise both the value and the violation; without a correction they are cut."""
    fun = lambda x: 2 * ((x * x).sum() - 1) - x[0]  # noqa: E731
    angle = 0.9
    result = minimize(
        fun, tensor(math.cos(angle), math.sin(angle)), constraints=Constraint.equal(lambda x: (x * x).sum() - 1)
    )
    assert result.success
    assert result.nit <= 8
    torch.testing.assert_close(result.x, tensor(1, 0), atol=1e-6, rtol=0)
    assert float(result.extra["multipliers"][0]) == pytest.approx(-1.5, abs=1e-5)


def test_scipys_objects_and_given_derivatives():
    scipy = pytest.importorskip("scipy.optimize")
    forms = [
        scipy.NonlinearConstraint(lambda x: (x * x).sum(), -torch.inf, 1.0),
        Constraint(lambda x: float((x * x).sum()), upper=1.0, jac=lambda x: 2 * x),
        Constraint(lambda x: (x * x).sum(), upper=1.0, jac=lambda x: 2 * x, hess=lambda x, v: 2 * v[0] * torch.eye(2)),
        {"type": "ineq", "fun": lambda x, r: r - (x * x).sum(), "args": (1.0,)},
    ]
    for form in forms:
        result = minimize(lambda x: x[0] + 2 * x[1], tensor(0.3, 0.1), constraints=form)
        assert result.success
        torch.testing.assert_close(result.x, -tensor(1, 2) / math.sqrt(5), atol=1e-6, rtol=0)
    line = scipy.LinearConstraint([[1.0, 1.0]], 1.0, 1.0)
    result = minimize(
        lambda x: (x * x).sum(), {"a": tensor(4), "b": tensor(1)}["a"].expand(2).clone(), constraints=line
    )
    torch.testing.assert_close(result.x, tensor(0.5, 0.5))


def test_unknowns_in_a_dictionary():
    limit = Constraint(lambda p: p["a"].sum() + p["b"], lower=3.0)
    fun = lambda p: (p["a"] ** 2).sum() + p["b"][0] ** 2  # noqa: E731
    result = minimize(fun, {"a": torch.zeros(2, dtype=F64), "b": torch.zeros(1, dtype=F64)}, constraints=limit)
    torch.testing.assert_close(result.x["b"], torch.ones(1, dtype=F64))


@pytest.mark.parametrize("method", BOTH)
def test_rosenbrock_in_a_disc(method):
    disc = Constraint(lambda x: (x * x).sum(), upper=1.0)
    result = minimize(rosenbrock, tensor(-1.2, 1.0), method, constraints=disc, gtol=1e-7)
    assert result.success
    torch.testing.assert_close(result.x, tensor(0.7864151541, 0.6176983125), atol=1e-5, rtol=0)


INFEASIBLE = {
    "linear": [{"type": "ineq", "fun": lambda x: x[0] - 1}, {"type": "ineq", "fun": lambda x: -x[0] - 1}],
    "curved": [Constraint(lambda x: (x * x).sum() + 1, upper=0.5)],
    "equality": [Constraint.equal(lambda x: (x * x).sum() + 1)],
}


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize(("kind", "least"), [("linear", 1.0), ("curved", 0.5), ("equality", 1.0)])
def test_an_infeasible_problem_ends_at_the_least_violation(method, kind, least):
    result = minimize(lambda x: (x - 2).square().sum(), tensor(3.0, 1.0), method, constraints=INFEASIBLE[kind])
    assert result.status is Status.INFEASIBLE
    # least in the sum for SQP (all of -1 <= x[0] <= 1 is least there), in the squares for the other
    total = sum(float(value.clamp(max=0).abs()) for value in result.extra["constraints"]) if kind == "linear" else least
    assert total == pytest.approx(2.0 if kind == "linear" else least, abs=1e-3)
    assert result.extra["violation"] <= (2.001 if kind == "linear" else least + 1e-3)


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("fun", [lambda x: x[0], lambda x: -(x[0] ** 2)])
def test_an_unbounded_problem_says_so(method, fun):
    result = minimize(fun, tensor(3.0, 1.0), method, constraints={"type": "ineq", "fun": lambda x: x[1] - 1})
    assert result.status is Status.UNBOUNDED


@pytest.mark.parametrize("method", BOTH)
def test_a_start_that_is_not_finite_says_what_is_not(method):
    limit = {"type": "ineq", "fun": lambda x: torch.log(x[0])}
    result = minimize(lambda x: x.sum(), tensor(-3.0, 1.0), method, constraints=limit)
    assert result.status is Status.NON_FINITE
    assert "constraints[0]" in result.message


def test_a_wall_of_nan_is_too_far_away():
    limit = Constraint(lambda x: x[0] + x[1], upper=2.0)
    result = minimize(lambda x: -torch.log(x[0]) + x[1] ** 2, tensor(0.1, 5.0), constraints=limit)
    assert result.success
    assert float(result.x.sum()) == pytest.approx(2.0, abs=1e-7)


def test_bounds_hold_at_every_point():
    seen = []

    def fun(x):
        seen.append(x.detach().clone())
        return hs71(x)

    minimize(fun, tensor(1, 5, 5, 1), bounds=(1, 5), constraints=HS71)
    assert all(bool(((x >= 1) & (x <= 5)).all()) for x in seen)


@pytest.mark.parametrize(
    ("constraint", "error", "message"),
    [
        (lambda: {"type": "ineq", "fun": lambda x: torch.tensor(1.0)}, ValueError, r"constraints\[0\] has no gradient"),
        (lambda: {"type": "ineq", "fun": lambda x: 1.0}, ValueError, "plain number"),
        (lambda: {"type": "less", "fun": lambda x: x}, ValueError, "'eq'"),
        (lambda: {"type": "eq", "fun": lambda x: x, "jacobian": 1}, ValueError, "jacobian"),
        (lambda: Constraint(lambda x: x, 2, 1), ValueError, "lower is above upper at entry 0: 2.0 > 1.0"),
        (lambda: Constraint(lambda x: x, [1.0, 2.0, 3.0]), ValueError, "fun returns 2 numbers"),
        (lambda: Constraint(lambda x: x[0], 0, jac=lambda x: [1.0, 0.0, 3.0]), ValueError, r"must be \(1, 2\)"),
        (lambda: 3, TypeError, "is a int"),
        (lambda: Constraint(3), TypeError, "fun is a int"),
    ],
)
def test_wrong_constraints_are_named(constraint, error, message):
    with pytest.raises(error, match=message):
        minimize(lambda x: (x * x).sum(), tensor(1.0, 2.0), constraints=constraint())


def test_constraints_beside_a_method_that_would_ignore_them():
    with pytest.raises(ValueError, match="does not take constraints"):
        minimize(hs71, tensor(1, 5, 5, 1), "bfgs", constraints=HS71)
    with pytest.raises(ValueError, match="give them once"):
        minimize(hs71, tensor(1, 5, 5, 1), SQP(constraints=HS71), constraints=HS71)
