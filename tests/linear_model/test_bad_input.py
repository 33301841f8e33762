"""Bad input: a defined answer with its status, or an error that names the column and the way out."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

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
        (lm.Ridge(distributed=True), "init_process_group"),
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


def test_diagnosis_names_columns(capsys):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 5))
    X = np.column_stack([X, X[:, 0] - X[:, 1], np.ones(400), 1e6 * rng.normal(size=400)])
    y = (X[:, 2] * X[:, 3] > 0).astype(int)
    found = lm.LogisticRegression().fit(X, y).diagnose(X, y)
    assert {"optimum", "constant", "collinear", "scaling", "interactions", "limit"} <= found.kinds()
    text = str(found)
    assert "column 2 × column 3" in text
    assert "column 0, column 1, column 5 are collinear" in text
    assert "column 6 never change" in text
    assert text in capsys.readouterr().out


def test_diagnosis_of_heavy_tails():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=600) + np.where(rng.random(600) < 0.1, 300 * rng.random(600), 0.0)
    assert "loss" in lm.Ridge().fit(X, y).diagnose(X, y).kinds()
