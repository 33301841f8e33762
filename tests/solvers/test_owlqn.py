"""OWL-QN: the optimality conditions of the L1 problem, and exact zeros."""

import pytest
import torch

from gradwright.solvers import OWLQN, Status, minimize
from gradwright.solvers.quasi_newton.owlqn import pseudo_gradient
from tests.solvers.problems import F64, Logistic, tensor


def test_the_pseudo_gradient_takes_the_side_that_descends():
    x = tensor(1.0, -1.0, 0.0, 0.0, 0.0)
    g = tensor(0.5, 0.5, 2.0, -2.0, 0.5)
    found = pseudo_gradient(x, g, torch.ones(5, dtype=F64))
    torch.testing.assert_close(found, tensor(1.5, -0.5, 1.0, -1.0, 0.0))


@pytest.mark.parametrize("l1", [0.5, 0.05, 0.01, 0.0])
def test_optimality_of_a_sparse_logistic_regression(l1):
    problem = Logistic(columns=12)
    result = minimize(problem, torch.zeros(12, dtype=F64), OWLQN(l1=l1), gtol=1e-7)
    assert result.success, result
    x = result.x
    slope = torch.autograd.functional.jacobian(problem, x)
    active = x != 0
    torch.testing.assert_close(slope[active], -l1 * x[active].sign(), atol=1e-6, rtol=0)
    assert (slope[~active].abs() <= l1 + 1e-6).all()
    assert result.fun == pytest.approx(float(problem(x)) + l1 * float(x.abs().sum()))
    if l1 >= 0.05:
        assert (~active).any(), "no entry is exactly zero"
    if l1 == 0.5:
        assert not active.any()


def test_soft_thresholding_is_recovered():
    target = tensor(3.0, -0.2, 0.5, -4.0)
    weights = tensor(1.0, 1.0, 0.0, 0.5)
    result = minimize(
        lambda x: 0.5 * ((x - target) ** 2).sum(), tensor(1.0, 1.0, 1.0, 1.0), "owl-qn", options={"l1": weights}
    )
    assert result.success
    torch.testing.assert_close(result.x, target.sign() * (target.abs() - weights).clamp(min=0), atol=1e-6, rtol=0)


def test_weights_may_be_given_per_entry_of_a_dict():
    start = {"w": torch.ones(3, dtype=F64), "bias": torch.tensor(0.0, dtype=F64)}
    fun = lambda x: 0.5 * ((x["w"] - 0.5) ** 2).sum() + 0.5 * (x["bias"] - 0.5) ** 2  # noqa: E731
    result = minimize(fun, start, "owl-qn", options={"l1": {"w": torch.ones(3), "bias": 0.0}})
    assert not result.x["w"].any()
    torch.testing.assert_close(result.x["bias"], torch.tensor(0.5, dtype=F64))


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="negative"):
        minimize(lambda x: (x * x).sum(), tensor(1.0), "owl-qn", options={"l1": -1.0})


def test_unbounded_is_called_unbounded():
    result = minimize(lambda x: -2 * x.sum(), tensor(1.0), "owl-qn", options={"l1": 1.0})
    assert result.status is Status.UNBOUNDED
