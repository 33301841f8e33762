"""Bad input: a defined answer with its status, or an error that names the column and the way out."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from gradwright import linear_model as lm


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] + rng.normal(size=60) > 0).astype(int)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_missing_and_infinite_values_name_their_column(rows, value, word):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    X[7, 2] = value
    frame = pandas.DataFrame(X, columns=["a", "b", "height", "d"])
    with pytest.raises(ValueError, match=f"{word} in column 'height', first in row 7.*SimpleImputer"):
        lm.LogisticRegression().fit(frame, y)
    with pytest.raises(ValueError, match=f"{word} in column 2"):
        lm.Ridge().fit(csr_array(X), y)
    with pytest.raises(ValueError, match=word):
        lm.Ridge().fit(lambda: iter([(X, y)]))


def test_text_columns_are_named(rows):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(town=["Ulm", "Bonn"] * 30)
    with pytest.raises(ValueError, match=r"column 'town'.*'Ulm'.*get_dummies"):
        lm.LogisticRegression().fit(frame, y)


def test_targets_outside_a_loss_are_refused(rows):
    X, y = rows
    with pytest.raises(ValueError, match="one class only"):
        lm.LogisticRegression().fit(X, np.ones(60))
    with pytest.raises(ValueError, match=r"y must be at least 0, not -2 \(row 3\)"):
        lm.PoissonRegressor().fit(X, np.where(np.arange(60) == 3, -2.0, 1.0))
    with pytest.raises(ValueError, match="y must be above 0"):
        lm.GammaRegressor().fit(X, y)
    with pytest.raises(ValueError, match="every y is 0"):
        lm.PoissonRegressor().fit(X, np.zeros(60))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lm.LogisticRegression(C=-1), "C must be above 0"),
        (lm.LogisticRegression(l1_ratio=2), "l1_ratio must be between 0 and 1"),
        (lm.LogisticRegression(tol=0), "tol must be above 0"),
        (lm.LogisticRegression(max_iter=0), "max_iter"),
        (lm.LogisticRegression(groups=[[0, 1]]), "groups have no effect"),
        (lm.LogisticRegression(l1_ratio=1, groups=[[0, 9]]), "groups must name"),
        (lm.LogisticRegression(penalty_factors=[1, 2]), "penalty_factors must be 4"),
        (lm.LogisticRegression(class_weight={5: 1.0}), "class_weight"),
        (lm.GeneralizedLinearModel("hinge"), "loss must be one of"),
        (lm.GeneralizedLinearModel("squared", link="log"), "convex with link"),
        (lm.GeneralizedLinearModel("absolute", l1_ratio=0.5), "L1 and group penalties"),
        (lm.LinearSVC(loss="log"), "'hinge' or 'squared_hinge'"),
        (lm.Ridge(alpha=-1.0), "alpha must be"),
        (lm.Ridge(alpha="1"), "alpha must be at least 0 and finite, not '1'"),
        (lm.LogisticRegression(C=None), "C must be above 0"),
        (lm.LogisticRegression(l1_ratio=None), "l1_ratio must be"),
        (lm.LogisticRegression(fit_intercept="no"), "fit_intercept must be True or False"),
        (lm.LogisticRegression(callback=3), "callback must be a function"),
        (lm.LogisticRegression(penalty_factors="x"), "penalty_factors must be 4"),
        (lm.LogisticRegression(l1_ratio=1, groups=[["a"]]), "groups must name"),
        (lm.LogisticRegression(l1_ratio=1, groups=[[]]), "groups must name"),
        (lm.LogisticRegression(class_weight={0: 0.0}), "leave one class only, 1"),
        (lm.LinearSVC(class_weight={1: 0.0}), "leave one class only, 0"),
        (lm.GeneralizedLinearModel("tweedie", power=2), "use 'poisson' for 1 and 'gamma' for 2"),
        (lm.HuberRegressor(epsilon=0.5), "epsilon must be at least 1"),
        (lm.Ridge(distributed=True), "torchrun --nproc-per-node 4 fit.py.*init_process_group"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(rows, model, words):
    with pytest.raises((ValueError, RuntimeError), match=words):
        model.fit(*rows)


def test_weights(rows):
    X, y = rows
    with pytest.raises(ValueError, match="at least one non-zero"):
        lm.LogisticRegression().fit(X, y, np.zeros(60))
    with pytest.raises(ValueError, match="every row with weight 0"):
        lm.LogisticRegression(class_weight={0: 0.0, 1: 0.0}).fit(X, y)
    with pytest.raises(ValueError, match="at least zero"):
        lm.LogisticRegression().fit(X, y, -np.ones(60))


def test_chunks_that_change_are_refused(rows):
    X, y = rows
    sizes = iter([60, 60, 50, 50, 50])

    def chunks():
        n = next(sizes)
        return iter([(X[:n], y[:n])])

    with pytest.raises(ValueError, match="same rows in every pass"):
        lm.Ridge().fit(chunks)
    with pytest.raises(ValueError, match="no chunk"):
        lm.Ridge().fit(lambda: iter(()))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scales_constant_and_equal_columns(rows, scale, dtype):
    X, y = rows
    X = np.column_stack([X[:, 0] * scale, X[:, 1], X[:, 1], np.full(60, 3.0), np.zeros(60)]).astype(dtype)
    for model in (lm.LogisticRegression(), lm.LogisticRegression(np.inf), lm.LogisticRegression(l1_ratio=1.0)):
        fitted = model.fit(X, y)
        assert fitted.result_.status == "converged"
        assert np.isfinite(fitted.predict_proba(X)).all()


def test_more_columns_than_rows():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 90)), rng.normal(size=20)
    for model in (lm.Ridge(), lm.Lasso(0.1), lm.LinearSVR(C=0.1), lm.HuberRegressor(alpha=1.0)):
        assert model.fit(X, y).result_.status == "converged"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loose = lm.LogisticRegression(np.inf).fit(X, y > 0)
    assert loose.result_.status == "separated"
    perfect = lm.Ridge(alpha=0.0).fit(X, y)
    np.testing.assert_allclose(perfect.predict(X), y, atol=1e-6)


def test_an_interrupted_fit_answers_with_what_it_has(rows):
    X, y = rows

    def stop(record):
        raise KeyboardInterrupt

    with pytest.warns(Warning, match="interrupted"):
        model = lm.LogisticRegression(callback=stop).fit(X, y)
    assert model.result_.status == "interrupted"
    assert np.isfinite(model.coef_).all()


def test_a_source_whose_rows_move_ends_by_its_line_search(rows):
    """Chunks that are shuffled anew in every pass belong to no one function; the fit says so and stays finite."""
    X, y = rows
    rng = np.random.default_rng(0)
    with pytest.warns(ConvergenceWarning, match="line_search"):
        model = lm.LogisticRegression().fit(lambda: iter([(X[rng.permutation(60)], y)]))
    assert model.result_.status == "line_search"
    assert np.isfinite(model.coef_).all()
    assert 0 <= model.result_.gap_bound <= model.result_.objective


def test_a_tolerance_below_rounding_ends_by_float_limit(rows):
    X, _ = rows
    y = X @ [1.0, -2.0, 0.5, 0.0] + np.random.default_rng(1).normal(size=60)
    with pytest.warns(ConvergenceWarning, match="float_limit"):
        model = lm.Lasso(1e-12, tol=1e-16).fit(X, y)
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(60)]), y, rcond=None)[0]
    np.testing.assert_allclose([*model.coef_, model.intercept_], exact, rtol=1e-5)


def test_missing_and_shifted_targets_name_their_row(rows):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    for labels in (
        np.where(np.arange(60) == 4, np.nan, y),
        np.where(np.arange(60) == 4, None, y.astype(str)),
        pandas.Series(y.astype(str)).astype("string").mask(np.arange(60) == 4),
    ):
        with pytest.raises(ValueError, match="contains NaN or None, first in row 4"):
            lm.LogisticRegression().fit(X, labels)
    with pytest.raises(ValueError, match="y must be numbers"):
        lm.Ridge().fit(X, np.full(60, "tall"))
    with pytest.raises(ValueError, match=r"offset must have shape \(60,\), not \(3,\)"):
        lm.Ridge().fit(X, y, offset=np.zeros(3))
    with pytest.raises(ValueError, match="offset must be finite; row 2"):
        lm.Ridge().fit(X, y, offset=np.where(np.arange(60) == 2, np.inf, 0.0))


def test_text_in_arrays_and_chunks_is_named(rows):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    with pytest.raises(ValueError, match=r"column 1 of X holds .*'x'"):
        lm.Ridge().fit(np.column_stack([X[:, 0].astype(object), np.full(60, "x", object)]), y)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    with pytest.raises(ValueError, match="column 'a' of X holds"):
        lm.Ridge().fit(lambda: iter([(frame.assign(a="x"), y)]))
    with pytest.raises(ValueError, match="NaN in column 'c'"):
        lm.Ridge().fit(lambda: iter([(frame.assign(c=np.nan), y)]))
    model = lm.Ridge().fit(lambda: iter([(frame, y)]))
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="a chunk must be"):
        lm.Ridge().fit(lambda: iter([X]))
    with pytest.raises(ValueError, match="give a function that returns a new iterator"):
        lm.Ridge().fit(iter([(X, y)]))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_tensors_of_every_layout(rows):
    torch = pytest.importorskip("torch")
    X, y = rows
    expected = lm.Ridge().fit(X, y).coef_
    for given in (torch.tensor(X, requires_grad=True), torch.tensor(X).to_sparse(), torch.tensor(X).to_sparse_csr()):
        np.testing.assert_allclose(lm.Ridge().fit(given, torch.tensor(y)).coef_, expected, rtol=1e-10)
    half = torch.tensor(X).bfloat16()
    np.testing.assert_allclose(lm.Ridge().fit(half, y).coef_, lm.Ridge().fit(half.float().numpy(), y).coef_, rtol=1e-10)


def test_standard_errors_of_other_rows_leave_the_model_as_it_was(rows):
    X, y = rows
    model = lm.LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="other columns"):
        model.standard_errors(X[:, :2], y)
    with pytest.raises(ValueError, match="other columns or y other classes"):
        model.standard_errors(X, y + 1)
    assert model.n_features_in_ == 4
    assert model.classes_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="not fitted"):
        lm.LogisticRegression().standard_errors(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apart = lm.LogisticRegression(np.inf).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="can be separated"):
        apart.standard_errors(X, X[:, 0] > 0)


def test_a_warning_points_at_the_line_of_the_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 4)), np.arange(100) % 2
    with pytest.warns(ConvergenceWarning) as seen:
        lm.LogisticRegression(max_iter=1, tol=1e-14).fit(X, y)
    with pytest.warns(ConvergenceWarning) as also:
        lm.LeastAbsoluteDeviations(callback=lambda record: True).fit(X, X[:, 0] + rng.normal(size=100))
    assert {each.filename for each in [*seen, *also]} == {__file__}
