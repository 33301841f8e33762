"""Every source of curvature against the matrix that autograd computes entry by entry."""

import warnings

import pytest
import torch

from gradwright.solvers import LinearOperator, NotDeterministic, check_deterministic, minimize
from gradwright.solvers.curvature import (
    CURVATURES,
    Auto,
    DoubleBackward,
    EmpiricalFisher,
    FiniteDifference,
    Fisher,
    ForwardOverReverse,
    GaussNewton,
)
from gradwright.solvers.curvature.choice import curvature_of
from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import source_of
from tests.solvers.problems import F64, rosenbrock, tensor, wood


def point_of(fun, x0, curvature, at=None, jac=None):
    layout, tensors = layout_of(x0)
    objective = Objective(source_of(fun, x0, layout, tensors, jac), curvature)
    return objective.at(torch.cat([part.detach().reshape(-1) for part in tensors]) if at is None else at)


@pytest.mark.parametrize(
    ("curvature", "accuracy"),
    [(DoubleBackward(), 1e-12), (ForwardOverReverse(), 1e-12), (FiniteDifference(), 1e-6), (Auto(), 1e-12)],
)
def test_products_are_the_hessian(curvature, accuracy):
    x = tensor(-3.0, -1.0, 2.0, 0.5)
    exact = torch.autograd.functional.hessian(wood, x)
    point = point_of(wood, x, curvature)
    torch.testing.assert_close(point.hessian.dense(x), exact, rtol=accuracy, atol=accuracy * float(exact.abs().max()))
    assert point.objective.nhev == 4
    torch.testing.assert_close(point.gradient, torch.autograd.functional.jacobian(wood, x))


def test_differences_count_their_gradients():
    point = point_of(wood, tensor(1.0, 2.0, 3.0, 4.0), FiniteDifference())
    _ = point.hessian @ tensor(1.0, 0.0, 0.0, 0.0)
    assert (point.objective.nfev, point.objective.njev, point.objective.nhev) == (3, 2, 1)


def test_differences_at_the_origin_and_in_float32():
    quartic = lambda x: ((x - 1) ** 4).sum()  # noqa: E731
    for dtype, accuracy in ((F64, 1e-6), (torch.float32, 2e-2)):
        point = point_of(quartic, torch.zeros(3, dtype=dtype), FiniteDifference())
        product = point.hessian @ tensor(1.0, 2.0, 3.0)
        torch.testing.assert_close(product, 12 * tensor(1.0, 2.0, 3.0), rtol=accuracy, atol=accuracy)


def test_a_linear_function_has_no_curvature_and_no_warning():
    point = point_of(lambda x: 3 * x.sum(), tensor(1.0, 2.0), Auto())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not (point.hessian @ tensor(1.0, 1.0)).any()


class Hidden(torch.autograd.Function):
    """x⁴ whose backward leaves autograd, so that no second derivative exists."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x**4).sum()

    @staticmethod
    def backward(ctx, weight):
        (x,) = ctx.saved_tensors
        return weight.detach() * 4 * x.detach() ** 3


class Once(Hidden):
    """The same, marked as differentiable once."""

    backward = staticmethod(torch.autograd.function.once_differentiable(Hidden.backward))


def attention(x):
    q = x.view(1, 1, 4, 2)
    return torch.nn.functional.scaled_dot_product_attention(q, q, q).square().sum() + (x - 0.3).square().sum()


@pytest.mark.parametrize("fun", [Hidden.apply, Once.apply], ids=["hidden", "once"])
def test_auto_falls_back_to_differences_with_one_warning(fun):
    with pytest.warns(UserWarning, match="second derivative does not exist") as caught:
        result = minimize(fun, tensor(1.0, -2.0, 3.0), "trust-ncg")
    assert len(caught) == 1
    assert result.success
    assert float(result.x.abs().max()) < 0.02


def test_auto_minimises_through_fused_attention():
    start = torch.linspace(-1, 1, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = minimize(attention, start, "trust-ncg")
    exact = minimize(lambda x: attention(x.double()), start.double(), "l-bfgs")
    assert result.fun <= exact.fun + 1e-5


def network():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4, dtype=F64), torch.nn.Tanh(), torch.nn.Linear(4, 3, dtype=F64))
    return model, torch.randn(7, 3, dtype=F64), torch.arange(7) % 3


def stateless(model, data):
    """outputs(flat) for a module, by functional_call: shares nothing with the sources under test."""
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def outputs(flat):
        parts = flat.split([shape.numel() for shape in shapes.values()])
        values = {name: part.view(shape) for part, (name, shape) in zip(parts, shapes.items())}
        return torch.func.functional_call(model, values, (data,))

    return outputs


def flat_of(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def test_gauss_newton_is_the_jacobian_form():
    model, data, labels = network()
    outputs, x = stateless(model, data), flat_of(model)
    jacobian = torch.func.jacrev(outputs)(x).reshape(21, -1)
    logits = outputs(x)
    loss = lambda z: torch.nn.functional.cross_entropy(z.view(7, 3), labels)  # noqa: E731
    middle = torch.autograd.functional.hessian(loss, logits.reshape(-1))

    def fun(net):
        z = net(data)
        return torch.nn.functional.cross_entropy(z, labels), z

    point = point_of(fun, model, GaussNewton())
    torch.testing.assert_close(point.hessian.dense(x), jacobian.T @ middle @ jacobian, rtol=1e-9, atol=1e-12)


def test_the_fisher_of_many_samples_is_gauss_newton_for_cross_entropy():
    model, data, labels = network()

    def fun(net):
        z = net(data)
        return torch.nn.functional.cross_entropy(z, labels), z

    x = flat_of(model)
    exact = point_of(fun, model, GaussNewton()).hessian.dense(x)
    sampled = point_of(fun, model, Fisher(samples=1000)).hessian.dense(x)
    assert float((sampled - exact).norm() / exact.norm()) < 0.1
    again = point_of(fun, model, Fisher(samples=1000)).hessian.dense(x)
    torch.testing.assert_close(again, sampled)


def test_the_empirical_fisher_is_the_mean_of_outer_products():
    model, data, labels = network()
    outputs, x = stateless(model, data), flat_of(model)
    losses = lambda flat: torch.nn.functional.cross_entropy(outputs(flat), labels, reduction="none")  # noqa: E731
    rows = torch.func.jacrev(losses)(x)

    def fun(net):
        each = torch.nn.functional.cross_entropy(net(data), labels, reduction="none")
        return each.mean(), each

    found = point_of(fun, model, EmpiricalFisher()).hessian.dense(x)
    torch.testing.assert_close(found, rows.T @ rows / 7, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batches", [1, 4])
def test_an_unmodified_closure_gives_exact_products(batches):
    model, data, _ = network()
    target = torch.randn(7, 3, dtype=F64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def closure():
        optimizer.zero_grad()
        total = 0.0
        for part in range(batches):
            loss = (model(data[part::batches]) - target[part::batches]).square().sum() / 7
            loss.backward()
            total += loss.item()
        return total

    outputs, x = stateless(model, data), flat_of(model)
    exact = torch.autograd.functional.hessian(lambda flat: (outputs(flat) - target).square().sum() / 7, x)
    point = point_of(closure, model, DoubleBackward())
    other = point.objective.at(x + 1.0)  # the parameters now hold another point
    assert other.value != point.value
    torch.testing.assert_close(point.hessian.dense(x), exact, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(flat_of(model), x, msg="a product puts its own point back")


def test_a_closure_is_minimised():
    model, data, _ = network()
    target = torch.randn(7, 3, dtype=F64)

    def closure():
        model.zero_grad()
        loss = (model(data) - target).square().mean() + 1e-3 * sum(p.square().sum() for p in model.parameters())
        loss.backward()
        return loss

    for method in ("trust-ncg", "newton-cg", "l-bfgs"):
        result = minimize(closure, model.parameters(), method, gtol=1e-7)
        assert result.success
        assert float(closure().detach()) == pytest.approx(result.fun)
        assert max(float(p.grad.abs().max()) for p in model.parameters()) < 1e-6


def test_a_closure_with_dropout_is_refused_by_name():
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    data = torch.randn(16, 3)
    before = flat_of(model)

    def closure():
        model.zero_grad()
        loss = model(data).square().mean()
        loss.backward()
        return loss

    with pytest.raises(NotDeterministic, match=r"dropout"):
        minimize(closure, model)
    torch.testing.assert_close(flat_of(model), before)
    model.eval()
    assert minimize(closure, model, maxiter=20).nit > 0


def test_a_closure_whose_value_is_not_its_gradient_is_refused():
    model, data, _ = network()

    def scaled():
        loss = model(data).square().mean()
        (1024 * loss).backward()
        return loss

    with pytest.raises(ValueError, match="unscaled"):
        minimize(scaled, model)


def test_check_deterministic_compares_two_values():
    check_deterministic(lambda: 1.0, 1e-16)
    values = iter([1.0, 1.1])
    with pytest.raises(NotDeterministic, match=r"1 and then 1\.1"):
        check_deterministic(lambda: next(values), 1e-16)


@pytest.mark.parametrize(
    "name", [name for name in CURVATURES if name not in ("gauss-newton", "fisher", "empirical-fisher")]
)
def test_curvatures_are_chosen_by_name(name):
    assert minimize(rosenbrock, tensor(-1.2, 1.0), "trust-ncg", hvp=name).success


def test_curvature_by_the_user():
    product = lambda x, v: torch.autograd.functional.hvp(rosenbrock, x, v)[1]  # noqa: E731
    matrix = lambda x: torch.autograd.functional.hessian(rosenbrock, x)  # noqa: E731
    plain = minimize(rosenbrock, tensor(-1.2, 1.0), "trust-ncg")
    for given in (
        {"hvp": product},
        {"hess": matrix},
        {"hess": lambda x: LinearOperator((2, 2), lambda v: matrix(x) @ v)},
    ):
        result = minimize(rosenbrock, tensor(-1.2, 1.0), "trust-ncg", **given)
        assert result.nit == plain.nit
        torch.testing.assert_close(result.x, plain.x)


def test_curvature_that_needs_outputs_says_so():
    for name in ("gauss-newton", "fisher", "empirical-fisher"):
        with pytest.raises(ValueError, match=r"return \(loss"):
            minimize(rosenbrock, tensor(-1.2, 1.0), "trust-ncg", hvp=name)


@pytest.mark.parametrize("size", [1e-60, 1e-25, 1.0, 1e25, 1e60])
def test_float32_products_with_vectors_of_any_length(size):
    x0 = torch.tensor([-1.2, 1.0])
    layout, tensors = layout_of(x0)
    objective = Objective(source_of(rosenbrock, x0, layout, tensors, None), curvature_of("auto"))
    point = objective.at(x0)
    v = tensor(3.0, -1.0)
    expected = torch.autograd.functional.hessian(rosenbrock, x0.double()) @ v
    torch.testing.assert_close((point.hessian @ (size * v)) / size, expected, rtol=1e-5, atol=1e-3)
    assert not (point.hessian @ torch.zeros(2, dtype=F64)).any()
