"""The gap bound is never below the true gap, and near it; statuses say what happened."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from gradwright.linear_model import LogisticRegression, Status
from gradwright.linear_model.data import Data, compiled
from gradwright.linear_model.objective import Design, Objective
from gradwright.linear_model.solvers import Budget, smooth

from .problems import LOSSES, NUMBERS, draw
from .reference import best, objective


def fit(case, tol, max_iter=300):
    s = None if case.s is None else case.s / case.s.sum()
    design = Design(Data.of(case.X), case.intercept)
    F = Objective(design, case.loss, case.y, s, None, np.full(case.X.shape[1], case.l2), case.K)
    theta, result = smooth.minimize(F, np.zeros((F.p, case.K)), Budget(tol, max_iter))
    return F, theta, result


@pytest.mark.parametrize("name", list(LOSSES))
def test_bound_holds_and_is_tight(name):
    ratios = []
    for seed in range(12):
        case = draw(name, seed)
        _, _, exact = fit(case, 1e-14)
        _, _, rough = fit(case, 10.0 ** -(1 + seed % 8))
        gap = rough.objective - exact.objective
        assert rough.status is Status.converged
        assert gap <= rough.gap_bound * (1 + 1e-9) + 1e-14 * abs(exact.objective)
        if gap > 1e-12 * abs(exact.objective):
            ratios.append(rough.gap_bound / gap)
    assert name == "squared" or np.median(ratios) <= 5.0


@pytest.mark.parametrize("stage", ["lbfgs", "newton_cg"])
@pytest.mark.parametrize("name", ["logistic", "softmax", "poisson", "squared"])
def test_bound_holds_on_the_large_stages(name, stage, monkeypatch):
    monkeypatch.setattr(smooth, "NEWTON_AT_ONCE", 0)
    if stage == "newton_cg":
        monkeypatch.setattr(smooth, "NEWTON_AT_MOST", 0)
    for seed in range(4):
        case = draw(name, seed, rows=3000, columns=8)
        _, _, result = fit(case, 1e-6)
        case32 = case._replace(X=case.X.astype(np.float32))
        _, _, single = fit(case32, 1e-6)
        monkeypatch.setattr(smooth, "NEWTON_AT_ONCE", 1e12)
        monkeypatch.setattr(smooth, "NEWTON_AT_MOST", 1e12)
        _, _, exact = fit(case, 1e-14)
        monkeypatch.setattr(smooth, "NEWTON_AT_ONCE", 0)
        monkeypatch.setattr(smooth, "NEWTON_AT_MOST", 0 if stage == "newton_cg" else 2e10)
        assert result.status is single.status is Status.converged
        assert result.objective - exact.objective <= result.gap_bound + 1e-14 * abs(exact.objective)
        assert result.gap_bound <= 1e-6 * exact.objective


@pytest.mark.parametrize("name", list(LOSSES))
def test_optimum_equals_an_independent_minimum(name):
    case = draw(name, 5, rows=60, columns=3)
    F, theta, result = fit(case, 1e-12)
    W, b = F.design.weights(theta)
    numbers = NUMBERS.get(name, {})
    value = objective(name, case.X, case.y, W, b, case.s, case.l2, **numbers)
    assert result.objective == pytest.approx(value, rel=1e-10)
    reference = best(name, case.X, case.y, case.K, case.s, case.l2, case.intercept, **numbers)
    assert value <= reference * (1 + 1e-12) + 1e-14
    assert value == pytest.approx(reference, rel=1e-5)


def test_separable_classes_are_named(capsys):
    X = np.random.default_rng(0).normal(size=(80, 3))
    y = (X[:, 1] > 0).astype(int)
    X[:, 1] += np.where(y, 1, -1)
    with pytest.warns(ConvergenceWarning, match="separated"):
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert model.result_.status is Status.separated
    assert np.isfinite(model.coef_).all()
    assert model.score(X, y) == 1.0
    found = model.diagnose(X, y)
    assert "column 1 alone separates" in str(found)
    assert str(found) in capsys.readouterr().out


def test_max_iter_and_interruption_keep_a_bound_that_holds():
    case = draw("logistic", 8, rows=200, columns=10)
    y = case.y.astype(int)
    exact = LogisticRegression(tol=1e-13).fit(case.X, y).result_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few = LogisticRegression(max_iter=1).fit(case.X, y).result_
        stopped = LogisticRegression(callback=lambda record: True).fit(case.X, y).result_
    assert few.status is Status.max_iter
    assert stopped.status is Status.interrupted
    for result in (few, stopped):
        assert result.objective - exact.objective <= result.gap_bound
        assert len(result.history) == 1


def test_weights_and_threads_do_not_change_the_answer(compiler):
    import torch

    case = draw("logistic", 9, rows=400, columns=12)
    y, w = case.y.astype(int), np.random.default_rng(0).random(400)
    one = LogisticRegression(tol=1e-12).fit(case.X, y, w)
    for k in (0.01, 100.0):
        scaled = LogisticRegression(C=1 / k, tol=1e-12).fit(case.X, y, k * w)
        np.testing.assert_allclose(scaled.coef_, one.coef_, rtol=1e-8)
    threads = torch.get_num_threads()
    try:
        answers = []
        for count in (1, 2, 1):
            torch.set_num_threads(count)
            with compiled.using("compiled"):
                answers.append(LogisticRegression(tol=1e-12).fit(case.X, y, w).coef_)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-11)
    np.testing.assert_array_equal(answers[2], answers[0])
