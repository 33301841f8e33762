"""Estimators: scikit-learn's contract, its answers, weights, offsets, paths, standard errors."""

import inspect
import warnings

import numpy as np
import pytest
import sklearn.linear_model as sk
import torch
from scipy.sparse import csr_array
from sklearn import svm
from sklearn.svm import LinearSVC as LiblinearSVC
from sklearn.utils.estimator_checks import check_estimator

from gradwright import linear_model as lm
from gradwright.linear_model.estimators.arguments import WAYS

from .problems import draw

ESTIMATORS = [
    lm.LogisticRegression(),
    pytest.param(lm.LogisticRegression(multi_class="softmax"), marks=pytest.mark.slow),
    lm.LogisticRegressionCV(Cs=3, cv=3),
    lm.LinearSVC(),
    pytest.param(lm.LinearSVC(loss="hinge"), marks=pytest.mark.slow),
    pytest.param(lm.LinearSVR(), marks=pytest.mark.slow),
    lm.LinearSVR(loss="squared_epsilon_insensitive"),
    lm.Ridge(),
    lm.Lasso(),
    lm.ElasticNet(),
    pytest.param(lm.LeastAbsoluteDeviations(), marks=pytest.mark.slow),
    pytest.param(lm.LeastAbsoluteDeviations(alpha=0.1), marks=pytest.mark.slow),
    pytest.param(lm.HuberRegressor(), marks=pytest.mark.slow),
    lm.PoissonRegressor(),
    lm.GammaRegressor(),
    lm.GeneralizedLinearModel(),
    pytest.param(lm.GeneralizedLinearModel("huber"), marks=pytest.mark.slow),
    lm.GeneralizedLinearModel("tweedie"),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_scikit_learn_contract(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = check_estimator(estimator, on_skip=None, on_fail=None)
    assert [(r["check_name"], str(r["exception"])[:300]) for r in done if r["status"] in ("failed", "xfail")] == []
    # run only where SciPy was told so before it was imported
    assert {r["check_name"] for r in done if r["status"] != "passed"} <= {"check_array_api_input"}


@pytest.fixture
def rows():
    case = draw("squared", 4, 200, 8)
    return case.X / case.X.std(0), case.y


def both(ours, theirs, rows, limit=1e-5, classes=0):
    X, y = rows
    y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes)) if classes else y
    ours.set_params(tol=1e-12)
    a, b = ours.fit(X, y), theirs.fit(X, y)
    assert a.result_.status == "converged"
    np.testing.assert_allclose(np.ravel(a.coef_), np.ravel(b.coef_), atol=limit)
    np.testing.assert_allclose(a.intercept_, b.intercept_, atol=limit)


def test_answers_are_scikit_learns(rows):
    tight = {"tol": 1e-10, "max_iter": 100_000}
    both(lm.Ridge(2.0), sk.Ridge(2.0), rows)
    both(lm.Lasso(0.1), sk.Lasso(0.1, **tight), rows)
    both(lm.ElasticNet(0.1, l1_ratio=0.3), sk.ElasticNet(0.1, l1_ratio=0.3, **tight), rows)
    both(lm.LogisticRegression(0.5), sk.LogisticRegression(C=0.5, **tight), rows, classes=2)
    both(lm.LogisticRegression(0.5), sk.LogisticRegression(C=0.5, **tight), rows, classes=4)
    both(
        lm.LogisticRegression(0.5, class_weight={0: 3}),
        sk.LogisticRegression(C=0.5, class_weight={0: 3}, **tight),
        rows,
        classes=3,
    )
    both(lm.HuberRegressor(), sk.HuberRegressor(**tight), rows, 1e-3)
    both(lm.LeastAbsoluteDeviations(), sk.QuantileRegressor(alpha=0.0), rows)
    positive = (rows[0], np.abs(rows[1]) + 0.1)
    both(lm.PoissonRegressor(0.1), sk.PoissonRegressor(alpha=0.1, **tight), positive)
    both(lm.GammaRegressor(0.1), sk.GammaRegressor(alpha=0.1, **tight), positive)
    both(
        lm.GeneralizedLinearModel("tweedie", alpha=0.1),
        sk.TweedieRegressor(power=1.5, alpha=0.1, link="log", **tight),
        positive,
    )


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_support_vectors_do_at_least_as_well_as_liblinear(rows, loss):
    X, y = rows
    y = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    ours = lm.LinearSVC(loss=loss, fit_intercept=False, tol=1e-10).fit(X, y)
    with warnings.catch_warnings():
        # on the hinge loss it may stop short of the optimum, whatever its tolerance
        warnings.simplefilter("ignore")
        theirs = LiblinearSVC(loss=loss, fit_intercept=False, tol=1e-8, max_iter=20_000, random_state=0).fit(X, y)
    for k in range(3):
        side = np.where(y == k, 1.0, -1.0)

        def primal(w, side=side):
            slack = np.maximum(0.0, 1.0 - side * (X @ w))
            return 0.5 * w @ w + np.sum(slack if loss == "hinge" else slack**2)

        best = primal(ours.coef_[k])
        assert best <= primal(theirs.coef_[k]) * (1 + 1e-9)
        assert best == pytest.approx(primal(theirs.coef_[k]), rel=1e-3)
        assert ours.results_[k].objective * len(y) == pytest.approx(best, rel=1e-9)


def test_signatures_are_scikit_learns():
    pairs = [
        (lm.LogisticRegression, sk.LogisticRegression), (lm.Ridge, sk.Ridge), (lm.Lasso, sk.Lasso),
        (lm.ElasticNet, sk.ElasticNet), (lm.HuberRegressor, sk.HuberRegressor),
        (lm.PoissonRegressor, sk.PoissonRegressor), (lm.GammaRegressor, sk.GammaRegressor),
        (lm.LinearSVC, LiblinearSVC),
    ]  # fmt: skip
    common = {"alpha", "C", "l1_ratio", "fit_intercept", "class_weight", "warm_start", "epsilon", "loss"}
    for ours, theirs in pairs:
        mine, other = ours().get_params(), theirs().get_params()
        for name in common & set(mine) & set(other):
            assert other[name] in (mine[name], None), (ours.__name__, name)
    assert lm.Ridge(2.0).alpha == lm.LogisticRegression(2.0).C == lm.Lasso(2.0).alpha == 2.0
    assert lm.GeneralizedLinearModel("gamma", alpha=0.5).loss == "gamma"
    with pytest.raises(TypeError):
        lm.Ridge(1.0, False)


def test_l1_path_starts_at_zero_and_meets_its_conditions(rows):
    X, y = rows
    largest = np.abs((X - X.mean(0)).T @ (y - y.mean())).max() / len(y)
    assert not lm.Lasso(largest * 1.000001).fit(X, y).coef_.any()
    assert lm.Lasso(largest * 0.99).fit(X, y).coef_.any()
    path = lm.regularization_path(lm.Lasso(tol=1e-12), X, y, [0.01, 0.1, 1.0])
    for alpha, W, b in zip(path.strengths, path.coefs, path.intercepts):
        g = X.T @ (X @ W[0] + b[0] - y) / len(y)
        held = W[0] != 0
        assert np.abs(g[held] + alpha * np.sign(W[0][held])).max(initial=0) <= 1e-6 * alpha
        assert np.abs(g).max() <= alpha * (1 + 1e-6)


def test_groups_enter_whole_and_factors_scale_the_penalty(rows):
    X, y = rows
    labels = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    model = lm.LogisticRegression(C=0.02, l1_ratio=1.0, groups=[[0, 1, 2], [3, 4], [5, 6, 7]], tol=1e-9).fit(X, labels)
    used = model.coef_.any(0)
    assert model.result_.status == "converged"
    assert len({*used[:3]}) == len({*used[3:5]}) == len({*used[5:]}) == 1
    assert not used.all()
    factors = np.array([1.0, 4.0, 1, 1, 1, 1, 1, 0.25])
    one = lm.Ridge(3.0, penalty_factors=factors, tol=1e-12).fit(X, y)
    two = lm.Ridge(3.0, tol=1e-12).fit(X / np.sqrt(factors), y)
    np.testing.assert_allclose(one.coef_, two.coef_ / np.sqrt(factors), rtol=1e-6)
    three = lm.Lasso(0.1, penalty_factors=factors, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(three.coef_, lm.Lasso(0.1, tol=1e-12).fit(X / factors, y).coef_ / factors, atol=1e-5)


def test_every_kind_of_matrix_gives_the_same_fit(rows, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    labels = (y > 0).astype(int)
    model = lm.LogisticRegression(tol=1e-12)
    expected = model.fit(X, labels).coef_
    mapped = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
    mapped[:] = X

    def chunks():
        return ((X[i : i + 37], labels[i : i + 37]) for i in range(0, len(X), 37))

    def sparse_chunks():
        return ((csr_array(X[i : i + 37]), labels[i : i + 37]) for i in range(0, len(X), 37))

    for given in (np.asfortranarray(X), csr_array(X), pandas.DataFrame(X), torch.tensor(X), mapped):
        np.testing.assert_allclose(model.fit(given, labels).coef_, expected, rtol=1e-7)
    for given in (chunks, sparse_chunks):
        np.testing.assert_allclose(model.fit(given).coef_, expected, rtol=1e-7)
    lasso = lm.Lasso(0.05, tol=1e-12)
    expected = lasso.fit(X, y).coef_
    np.testing.assert_allclose(lasso.fit(csr_array(X), y).coef_, expected, atol=1e-6)
    np.testing.assert_allclose(lasso.fit(lambda: ((X[i::2], y[i::2]) for i in (0, 1))).coef_, expected, atol=1e-6)


def test_weights_repeat_rows_and_count_in_softmax(rows):
    X, y = rows
    labels, times = np.digitize(y, [-1, 1]), np.arange(len(y)) % 3
    weighted = lm.LogisticRegression(tol=1e-12).fit(X, labels, times)
    repeated = lm.LogisticRegression(tol=1e-12).fit(np.repeat(X, times, 0), np.repeat(labels, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
    assert np.abs(weighted.coef_ - lm.LogisticRegression().fit(X, labels).coef_).max() > 1e-3


def test_offset_is_an_exposure(rows):
    X, _ = rows
    rng = np.random.default_rng(0)
    exposure = rng.uniform(0.5, 20.0, len(X))
    y = rng.poisson(exposure * np.exp(X @ np.linspace(-0.3, 0.3, X.shape[1]) - 1.0 - X[:, 0]))
    model = lm.PoissonRegressor(0.0, tol=1e-12).fit(X, y, offset=np.log(exposure))
    rate = lm.PoissonRegressor(0.0, tol=1e-12).fit(X, y / exposure, sample_weight=exposure)
    np.testing.assert_allclose(model.coef_, rate.coef_, rtol=1e-4)


def test_warm_start_begins_at_the_last_answer(rows):
    X, y = rows
    model = lm.LogisticRegression(warm_start=True).fit(X, y > 0)
    assert len(model.fit(X, y > 0).result_.history) == 0
    huber = lm.HuberRegressor(warm_start=True).fit(X, y)
    first, scale = huber.n_iter_, huber.scale_
    assert huber.fit(X, y).n_iter_ < first
    assert huber.scale_ == pytest.approx(scale, rel=1e-3)
    for nonsmooth in (
        lm.LinearSVR(epsilon=0.1, warm_start=True),
        lm.LeastAbsoluteDeviations(warm_start=True),
        lm.LinearSVC(loss="hinge", warm_start=True),
    ):
        target = np.digitize(y, np.quantile(y, [0.3, 0.6])) if isinstance(nonsmooth, lm.LinearSVC) else y
        first = np.sum(nonsmooth.fit(X, target).n_iter_)
        coef = nonsmooth.coef_
        assert np.sum(nonsmooth.fit(X, target).n_iter_) <= 0.7 * first
        np.testing.assert_allclose(nonsmooth.coef_, coef, rtol=1e-4, atol=1e-6)


def test_cross_validation_picks_the_strength_that_scores_best(rows):
    X, y = rows
    model = lm.LogisticRegressionCV(Cs=[0.01, 0.1, 1.0, 10.0], cv=4).fit(X, y > 0)
    assert model.scores_.shape == (4, 1, 4)
    assert model.Cs_[model.scores_.mean((0, 1)).argmax()] == model.C_
    assert all(result.status == "converged" for result in model.fold_results_)
    alone = lm.LogisticRegression(model.C_).fit(X, y > 0)
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-6)
    from sklearn.model_selection import StratifiedKFold

    train, test = next(StratifiedKFold(4).split(X, y > 0))
    by_hand = lm.LogisticRegression(0.1, tol=1e-12).fit(X[train], y[train] > 0).predict_log_proba(X[test])
    expected = by_hand[np.arange(len(test)), (y[test] > 0).astype(int)].mean()
    assert model.scores_[0, 0, 1] == pytest.approx(expected, rel=1e-3)


def test_standard_errors_are_those_of_the_information_matrix(rows):
    X, y = rows
    ones = np.column_stack([X, np.ones(len(X))])
    model = lm.GeneralizedLinearModel("squared", alpha=0.0, tol=1e-12).fit(X, y)
    residual = y - model.predict(X)
    expected = np.sqrt(np.diag(np.linalg.inv(ones.T @ ones)) * (residual @ residual) / (len(y) - ones.shape[1]))
    found = model.standard_errors(X, y)
    np.testing.assert_allclose([*found.coef, found.intercept], expected, rtol=1e-8)
    logistic = lm.LogisticRegression(np.inf, tol=1e-12).fit(X, y > 0)
    p = logistic.predict_proba(X)[:, 1]
    expected = np.sqrt(np.diag(np.linalg.inv(ones.T @ (ones * (p * (1 - p))[:, None]))))
    found = logistic.standard_errors(X, y > 0)
    np.testing.assert_allclose([*found.coef[0], found.intercept[0]], expected, rtol=1e-6)
    softmax = lm.LogisticRegression(np.inf, tol=1e-12, multi_class="softmax").fit(X, y > 0).standard_errors(X, y > 0)
    np.testing.assert_allclose(softmax.coef[1], expected[:-1] / 2, rtol=1e-5)


def kinds():
    return [kind for kind in (getattr(lm, name) for name in lm.__all__) if hasattr(kind, "get_params")]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_arguments_of_scikit_learn_that_mean_nothing_are_refused_with_the_way_out(kind):
    """Every argument that the estimator of that name has there is one here, or is told what to write instead."""
    theirs = getattr(sk, kind.__name__, getattr(svm, kind.__name__, None))
    known = theirs().get_params() if theirs is not None else ()
    for name in {*known, "solver", "penalty", "random_state", "n_jobs", "positive"} - set(kind().get_params()):
        for refused in (lambda name=name: kind(**{name: 1}), lambda name=name: kind().set_params(**{name: 1})):
            with pytest.raises((TypeError, ValueError), match=f"'{name}'") as error:
                refused()
            assert any(words in str(error.value) for words in [*WAYS.values(), "here it is", "did you mean"]), (
                error.value
            )
    assert list(inspect.signature(kind).parameters) == list(inspect.signature(kind.__init__).parameters)[1:]


def test_other_names_are_refused_with_those_that_look_alike():
    with pytest.raises(TypeError, match=r"LogisticRegression has no argument 'max_iters': did you mean 'max_iter'"):
        lm.LogisticRegression(max_iters=3)
    with pytest.raises(TypeError, match="here it is 'C'"):
        lm.LogisticRegression(alpha=1.0)
    with pytest.raises(TypeError, match="it has alpha, "):
        lm.Ridge(zzz=3)
