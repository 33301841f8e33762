"""Losses of pieces: where no row is sure to bend there is no curvature to rest a bound on, in any unit of y."""

import numpy as np
import pytest

from gradwright import linear_model as lm


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
def test_bound_holds_far_from_the_optimum(loss, unit):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 3))
        y = (X[:, 0] + rng.standard_t(1.5, size=60)) * unit
        settings = {"alpha": 0.0, "delta": 1e-3 * unit, "epsilon": unit}
        rough = lm.GeneralizedLinearModel(loss, tol=1e-3, **settings).fit(X, y).result_
        exact = lm.GeneralizedLinearModel(loss, tol=1e-13, **settings).fit(X, y).result_
        assert rough.objective - exact.objective <= rough.gap_bound * (1 + 1e-9) + 1e-12 * exact.objective


def test_absolute_deviations_in_any_unit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = X[:, 0] + rng.normal(size=100)
    expected = lm.LeastAbsoluteDeviations().fit(X, y).coef_
    for unit in (1e-8, 1e8, 1e30):
        model = lm.LeastAbsoluteDeviations().fit(X, y * unit)
        assert model.result_.status == "converged"
        np.testing.assert_allclose(model.coef_, expected * unit, rtol=1e-6)
