"""curve_fit and root against SciPy and closed forms, and what they refuse."""

import numpy as np
import pytest
import torch

from gradwright.solvers import curve_fit, root
from tests.solvers.problems import F64, tensor

optimize = pytest.importorskip("scipy.optimize")

T = torch.linspace(0, 4, 40, dtype=F64)
NOISE = torch.from_numpy(np.random.default_rng(0).normal(size=40))
Y = 2.5 * torch.exp(-1.3 * T) + 0.5 + 0.05 * NOISE


def decay(t, a, b, c):
    return a * (torch if isinstance(t, torch.Tensor) else np).exp(-b * t) + c


def band():
    lag = (T[:, None] - T[None]).abs()
    return 0.05**2 * torch.exp(-3 * lag)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.05 + 0.01 * T, band()], ids=["equal", "errors", "covariance"])
def test_parameters_and_covariance_agree_with_scipy(sigma, absolute):
    if sigma is None and absolute:
        sigma = torch.ones_like(T)
    popt, pcov = curve_fit(decay, T, Y, sigma=sigma, absolute_sigma=absolute)
    known = optimize.curve_fit(
        decay, T.numpy(), Y.numpy(), sigma=None if sigma is None else sigma.numpy(), absolute_sigma=absolute,
        ftol=1e-14, xtol=1e-14,
    )  # fmt: skip
    np.testing.assert_allclose(popt.numpy(), known[0], rtol=1e-6)
    np.testing.assert_allclose(pcov.numpy(), known[1], rtol=1e-4)


def test_bounds_a_given_jacobian_and_lists():
    bounds = ([0.0, 0.0, 0.0], [2.0, 2.0, 2.0])
    popt, _ = curve_fit(decay, T, Y, bounds=bounds)
    known, _ = optimize.curve_fit(decay, T.numpy(), Y.numpy(), bounds=bounds)
    np.testing.assert_allclose(popt.numpy(), known, atol=1e-4)
    assert popt[0] == 2.0, "where SciPy's stays inside"

    def jac(t, a, b, c):
        return torch.stack([torch.exp(-b * t), -a * t * torch.exp(-b * t), torch.ones_like(t)], dim=1)

    plain, cov = curve_fit(decay, T, Y, sigma=0.05 + 0.01 * T)
    given, other, fit = curve_fit(decay, T, Y, [1, 1, 1], sigma=0.05 + 0.01 * T, jac=jac, full_output=True)
    torch.testing.assert_close(given, plain, rtol=1e-7, atol=0)
    torch.testing.assert_close(other, cov, rtol=1e-5, atol=0)
    assert fit.success
    listed, _ = curve_fit(lambda x, a, b: a * x + b, [0, 1, 2, 3], [1, 3, 5, 7])
    torch.testing.assert_close(listed, tensor(2.0, 1.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"f": lambda t, *p: p[0] * t}, "give p0"),
        ({"f": lambda t, a: a * t[:3]}, r"f returned \(3,\), and ydata has shape \(40,\)"),
        ({"ydata": torch.full((40,), torch.nan)}, "not finite"),
        ({"sigma": torch.ones(3)}, r"sigma has shape \(3,\)"),
        ({"sigma": torch.zeros(40)}, "positive and finite"),
        ({"sigma": -torch.eye(40)}, "not positive definite"),
        ({"p0": torch.ones(2, 2)}, "p0 has shape"),
        ({"method": "simplex"}, "method='simplex' is unknown"),
        ({"ftol": 1e-8}, "no sign of a solution"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, words):
    with pytest.raises((ValueError, TypeError), match=words):
        curve_fit(**{"f": decay, "xdata": T, "ydata": Y, **change})


def test_a_fit_that_fails_says_why_and_one_that_is_not_determined_has_no_covariance():
    with pytest.raises(RuntimeError, match="were not found: The evaluations"):
        curve_fit(decay, T, Y, maxfev=3)
    with pytest.warns(UserWarning, match="do not determine the covariance"):
        _, pcov = curve_fit(lambda t, a, b: (a + b) * t, T, 3 * T)
    assert pcov.isinf().all()


def circle(x, radius=2.0):
    return torch.stack([x[0] ** 2 + x[1] ** 2 - radius**2, x[0] - x[1]])


@pytest.mark.parametrize("method", ["lm", "hybr", "HYBR", "dogleg", "gauss-newton", None])
def test_a_root_is_one(method):
    result = root(circle, tensor(1.0, 0.5), method=method)
    assert result.success, result
    torch.testing.assert_close(result.x, tensor(2.0, 2.0).sqrt(), rtol=1e-12, atol=0)
    assert result["fun"].abs().max() < 1e-12
    assert result.jac.shape == (2, 2)


def test_roots_at_zero_of_rank_deficient_ones_and_in_other_forms():
    torch.testing.assert_close(root(lambda x: torch.sinh(x), tensor(3.0, -2.0)).x, tensor(0.0, 0.0), atol=1e-9, rtol=0)
    double = root(lambda x: x**2, tensor(1.0))
    assert double.success
    assert double.x.abs() < 1e-6
    both = root(lambda x: torch.stack([x["a"] - 2, x["b"] * x["a"] - 6]), {"a": tensor(1.0)[0], "b": tensor(1.0)[0]})
    assert float(both.x["b"]) == pytest.approx(3.0)
    assert root(circle, tensor(1.0, 0.5), args=(3.0,)).x[0] == pytest.approx(3 / 2**0.5)
    single = root(circle, tensor(1.0, 0.5).float())
    assert single.success
    torch.testing.assert_close(single.x, torch.tensor([2.0, 2.0]).sqrt())


@pytest.mark.parametrize("method", ["lm", "hybr"])
def test_a_minimum_above_zero_is_no_root(method):
    result = root(lambda x: torch.stack([x[0] ** 2 + 1, x[1] - 1]), tensor(2.0, 3.0), method=method)
    assert result.status.name == "NO_ROOT", result
    assert not result.success
    assert "no root" in result.message


def test_settings_of_root_as_in_scipy():
    assert root(circle, tensor(1.0, 0.5), options={"maxfev": 2}).status.name == "MAX_EVALUATIONS"
    assert root(circle, tensor(1.0, 0.5), tol=1e-2).nit < root(circle, tensor(1.0, 0.5)).nit
    seen = []
    result = root(circle, tensor(1.0, 0.5), callback=seen.append)
    assert len(seen) == result.nit
    for settings, words in (
        ({"tol": 1e-3, "xtol": 1e-3}, "both given"),
        ({"method": "krylov"}, "use 'lm'"),
        ({"options": {"maxfev": 3}, "max_nfev": 3}, "given, and"),
    ):
        with pytest.raises(ValueError, match=words):
            root(circle, tensor(1.0, 0.5), **settings)
    with pytest.raises(ValueError, match=r"3 numbers for 2 unknowns.*least_squares"):
        root(lambda x: torch.stack([x[0], x[1], x[0]]), tensor(1.0, 2.0))
