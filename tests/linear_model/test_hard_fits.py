"""Fits that once claimed a success that was none: overflow, scales, offsets, large counts, classes without weight."""

import numpy as np
import pytest

from gradwright import linear_model as lm
from gradwright.linear_model.losses import Gamma, Poisson, Tweedie

from .extended import LD, Model, extended, objective, point, polished
from .promise import fitted


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, X @ [1.0, 2.0, 3.0, 4.0] + rng.normal(size=60)


def true_gap(model, loss, X, y, l2, intercept=True, **numbers):
    """F less its minimum in extended precision, at a fitted model."""
    n, d = X.shape
    given = Model(loss, numbers, X, y, np.full(n, 1 / n), np.zeros(d), np.full(d, l2), intercept)
    W, b = np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    return float(objective(given, W, b) - polished(given, W, b, 80))


EXTREME = [
    lm.Ridge(),
    lm.Lasso(),
    lm.LinearSVR(),
    lm.LinearSVR(loss="squared_epsilon_insensitive"),
    lm.LeastAbsoluteDeviations(),
    lm.GeneralizedLinearModel("huber", delta=1e155, alpha=0.1),
]


@pytest.mark.parametrize("unit", [1e155, 1e300, 1e-170])
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_no_success_beyond_the_range_of_float64(rows, model, unit):
    X, y = rows
    result = fitted(model, (X, y * unit)).result_
    assert not np.isnan([result.objective, result.gap_bound, result.relative_gap_bound]).any()
    assert np.isfinite(model.coef_).all()
    if result.status == "converged":
        assert np.isfinite(result.objective)
        assert result.gap_bound <= model.tol * result.objective


def test_coefficients_are_right_where_squares_of_targets_overflow(rows):
    X, y = rows
    expected = lm.Ridge().fit(X, y).coef_
    model = fitted(lm.Ridge(), (X, y * 1e155))
    assert model.result_.status == "overflow"
    np.testing.assert_allclose(model.coef_, expected * 1e155, rtol=1e-10)
    seen = []
    signal = X @ np.arange(1.0, 5.0)
    clear = fitted(
        lm.Ridge(0.0, callback=lambda record: seen.append(record.objective)), (X, signal * 1e155 + y * 1e148)
    )
    assert clear.result_.status == "converged"
    assert 1e290 < clear.result_.objective < 1e300
    assert seen[-1] == pytest.approx(clear.result_.objective)


@extended
@pytest.mark.parametrize("degree", [6, 8])
def test_powers_of_years_prove_no_more_than_they_can(degree):
    years = np.arange(1900.0, 2025.0)
    X, rng = years[:, None] ** np.arange(1, degree + 1), np.random.default_rng(0)
    t = np.sin((years - 1960) / 20)
    for loss, y in (
        ("squared", t + 0.1 * rng.normal(size=125)),
        ("poisson", rng.poisson(np.exp(t + 2)).astype(float)),
        ("logistic", (t + rng.normal(size=125) > 0).astype(float)),
    ):
        model = fitted(lm.GeneralizedLinearModel(loss, alpha=1e-3), (X, y))
        assert true_gap(model, loss, X, y, 1e-3) <= model.result_.gap_bound
        assert model.result_.status == "float_limit" or model.result_.relative_gap_bound <= 1e-6


@pytest.mark.parametrize("loss", ["squared", "poisson", "logistic", "huber"])
def test_a_bad_start_is_no_measure_of_success(rows, loss):
    X, t = rows
    y = {"poisson": np.exp(t / 4).round(), "logistic": (t > 0).astype(float)}.get(loss, t)
    for tol in (1e-6, 1e-10):
        model = lm.GeneralizedLinearModel(loss, alpha=0.1, tol=tol, warm_start=True).fit(X, y)
        objective_ = model.result_.objective
        model.coef_, model.intercept_ = model.coef_ + (1e9 if loss in ("squared", "huber") else 3.0), 1.0
        again = fitted(model, (X, y)).result_
        assert again.relative_gap_bound <= tol or again.status != "converged"
        assert again.objective - objective_ <= again.gap_bound * (1 + 1e-9)


def test_an_offset_far_away_is_no_measure_of_success(rows):
    X, y = rows
    for tol in (1e-6, 1e-12):
        model = fitted(lm.Ridge(tol=tol), (X, 1e-3 * y, None, np.full(60, 1e9)))
        assert model.result_.status != "converged" or model.result_.relative_gap_bound <= tol


@pytest.mark.parametrize(
    "seed", [1, 5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 2, 3, 4, 6, 7, 8))]
)
def test_l1_poisson_of_large_counts_leaves_zero(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 5))
    y = rng.poisson(np.exp(X @ rng.normal(size=5) + rng.uniform(5, 16))).astype(float)
    model = fitted(lm.GeneralizedLinearModel("poisson", alpha=0.1, l1_ratio=1.0), (X, y))
    assert np.count_nonzero(model.coef_) == 5
    # counts of a thousand million leave a bound that rounding makes most of
    assert model.result_.relative_gap_bound <= 1e-3


@extended
@pytest.mark.parametrize(
    ("loss", "compiled_"),
    [
        (Poisson(), "plain"),
        (Gamma(), "plain"),
        (Tweedie(1.5), "plain"),
        (Poisson(), "compiled"),
        pytest.param(Gamma(), "compiled", marks=pytest.mark.slow),
        pytest.param(Tweedie(1.5), "compiled", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_deviances_of_large_targets_keep_their_digits(loss, compiled_, compiler):
    from gradwright.linear_model.data import RowLoss, compiled, kernels

    rng = np.random.default_rng(1)
    y = rng.poisson(1e7, 130).astype(float)
    y[:4] = 1e-3 if isinstance(loss, Gamma) else 0.0
    X = np.log(np.maximum(y, 1.0))[:, None] + 1e-3 * rng.normal(size=(130, 1))
    exact = point(loss.name, X[:, 0].astype(LD), y.astype(LD), {"power": 1.5})[0]
    with compiled.using(compiled_):
        for i in (0, 5, 60, 129):
            G, gb, Z = np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1))
            terms = RowLoss(loss, y[i : i + 1])
            one, none = np.ones((1, 1)), np.zeros(1)
            total = kernels.rows_pass(kernels.EVALUATE, X[i : i + 1], terms, one, none, Z, None, G, gb)
            assert total == pytest.approx(float(exact[i]), rel=1e-9)


def test_scorers_take_held_out_weights_and_offsets():
    rng = np.random.default_rng(0)
    X, offset = rng.normal(size=(240, 5)), 3.0 * rng.normal(size=240)
    y = (X[:, 0] + offset + rng.logistic(size=240) > 0).astype(int)
    weights = rng.uniform(0.01, 5.0, 240)
    settings = {"Cs": np.logspace(-3, 2, 8), "cv": 4}
    own = lm.LogisticRegressionCV(**settings).fit(X, y, weights, offset)
    other = lm.LogisticRegressionCV(scoring="neg_log_loss", **settings).fit(X, y, weights, offset)
    np.testing.assert_allclose(other.scores_, own.scores_, rtol=1e-6)
    assert own.C_ == other.C_

    def bare(model, X, y):
        return 0.0

    with pytest.raises(ValueError, match="takes no sample_weight"):
        lm.LogisticRegressionCV(scoring=bare, **settings).fit(X, y, weights)


@pytest.mark.parametrize(
    "model", [lm.LogisticRegression(), lm.LogisticRegression(l1_ratio=1.0), lm.LinearSVC()], ids=str
)
def test_a_class_without_weight_is_as_if_it_were_not_there(model):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 4, 200)
    model.fit(X, y, np.where(y == 2, 0.0, 1.0))
    assert all(result.status == "converged" for result in model.results_)
    assert not np.any(model.predict(X) == 2)
    coef = model.coef_[[0, 1, 3]].copy()
    np.testing.assert_allclose(model.fit(X[y != 2], y[y != 2]).coef_, coef, atol=1e-6)
    with pytest.raises(ValueError, match="leave one class only"):
        model.fit(X, y, (y == 1).astype(float))


def test_least_absolute_deviations_have_one_answer():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, y = rng.integers(0, 3, (12, 2)).astype(float), rng.integers(0, 4, 12).astype(float)
        times = rng.integers(0, 4, 12)
        weighted = lm.LeastAbsoluteDeviations().fit(X, y, times)
        repeated = lm.LeastAbsoluteDeviations().fit(np.repeat(X, times, 0), np.repeat(y, times))
        assert weighted.result_.status == repeated.result_.status == "converged"
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-8)
        assert weighted.intercept_ == pytest.approx(repeated.intercept_, abs=1e-8)


@pytest.mark.parametrize("loss", ["gamma", "tweedie"])
def test_standard_errors_of_log_links_are_fishers(rows, loss):
    X, t = rows
    y = np.exp(t / 4) * np.random.default_rng(0).gamma(2.0, 0.5, 60)
    model = lm.GeneralizedLinearModel(loss, alpha=0.0, tol=1e-12).fit(X, y)
    mean, ones = model.predict(X), np.column_stack([X, np.ones(60)])
    power = 2.0 if loss == "gamma" else 1.5
    information = ones.T @ (ones * (mean ** (2.0 - power))[:, None])
    phi = np.sum((y - mean) ** 2 / mean**power) / (60 - 5)
    found = model.standard_errors(X, y)
    np.testing.assert_allclose(
        [*found.coef, found.intercept], np.sqrt(phi * np.diag(np.linalg.inv(information))), rtol=1e-6
    )


@pytest.mark.parametrize("signal", [1e10, 1e3])
def test_huber_finds_a_scale_far_below_its_signal(signal):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    noise = rng.normal(size=100)
    plain = lm.HuberRegressor(alpha=0.0).fit(X, noise)
    model = lm.HuberRegressor(alpha=0.0, tol=1e-5).fit(X, signal * X[:, 0] + noise)
    assert model.result_.status == "converged"
    assert model.result_.objective == pytest.approx(plain.result_.objective, rel=1e-4)
    assert model.scale_ == pytest.approx(plain.scale_, rel=1e-2)


def test_the_bound_of_huber_holds_in_coefficients_and_scale():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 20))
        X, y = rng.normal(size=(n, int(rng.integers(1, 4)))), rng.standard_t(2, size=n)
        settings = {"alpha": float(rng.choice([0.0, 1e-4, 0.1])), "epsilon": float(rng.choice([1.0, 1.35, 2.0]))}
        results = [fitted(lm.HuberRegressor(tol=tol, **settings), (X, y)).result_ for tol in (1e-3, 1e-10)]
        assert results[0].objective - results[1].objective <= results[0].gap_bound * (1 + 1e-9)
        for result, tol in zip(results, (1e-3, 1e-10)):
            assert result.status != "converged" or result.relative_gap_bound <= tol
