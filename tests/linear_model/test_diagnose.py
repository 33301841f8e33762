"""What limits a score is said in words, with the columns named: the solver, the model, or the data."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from gradwright import linear_model as lm
from gradwright.linear_model.diagnosis.columns import dependent


@pytest.fixture
def rows():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 5))
    return X, (X[:, 0] + X[:, 1] + rng.normal(size=400) > 0).astype(int)


def text(found, kind):
    return " ".join(sentence for name, sentence in found.findings if name == kind)


def test_columns_are_named(capsys):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 5))
    X = np.column_stack([X, X[:, 0] - X[:, 1], np.ones(400), 1e6 * rng.normal(size=400)])
    y = (X[:, 2] * X[:, 3] > 0).astype(int)
    found = lm.LogisticRegression().fit(X, y).diagnose(X, y)
    assert {"optimum", "constant", "collinear", "scaling", "interactions", "limit", "tried"} <= found.kinds()
    assert "column 2 × column 3" in text(found, "interactions")
    assert "column 0, column 1, column 5 are collinear" in text(found, "collinear")
    assert "column 6 never changes" in text(found, "constant")
    assert "column 7" in text(found, "scaling")
    assert str(found) in capsys.readouterr().out


def test_collinear_sets_are_minimal_and_not_mixed():
    rng = np.random.default_rng(0)
    kinds = np.eye(3)[rng.integers(0, 3, 200)]
    a, b = rng.normal(size=(2, 200))
    X = np.column_stack([kinds, a, b, 3 * a])
    z = (X - X.mean(0)) / X.std(0)
    assert sorted(circuit.tolist() for circuit in dependent(z.T @ z / 200)) == [[0, 1, 2], [3, 5]]
    assert dependent(np.eye(4)) == []


def test_a_solver_that_has_not_arrived(rows):
    with pytest.warns(ConvergenceWarning):
        model = lm.LogisticRegression(max_iter=1, tol=1e-12).fit(*rows)
    found = model.diagnose(*rows)
    assert "optimum" not in found.kinds()
    assert "not at the optimum" in text(found, "solver")
    assert "raise max_iter" in text(found, "solver")


def test_an_intercept(rows):
    X, y = rows[0] + 3.0, rows[1]
    X[:, 2:] = 0.1 * (X[:, 2:] - 3.0)
    model = lm.LogisticRegression(fit_intercept=False).fit(X, y)
    assert "worth having" in text(model.diagnose(X, y), "intercept")


def test_another_loss():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=600) + np.where(rng.random(600) < 0.1, 300 * rng.random(600), 0.0)
    assert "LeastAbsoluteDeviations" in text(lm.Ridge().fit(X, y).diagnose(X, y), "loss")
    counts = rng.poisson(np.exp(X @ [0.5, 1.0, 0.2]))
    found = lm.Ridge().fit(X, counts).diagnose(X, counts)
    assert "With Poisson loss" in text(found, "loss")
    assert found.scores["with Poisson loss"] > found.scores["this model"]


def test_few_digits_of_float32(rows):
    X = rows[0].copy()
    X[:, 3] += 1e6
    X = X.astype(np.float32)
    found = lm.LogisticRegression().fit(X, rows[1]).diagnose(X, rows[1])
    assert text(found, "precision").startswith("column 3: far from zero")


def test_label_noise_is_named_by_the_index_of_a_frame():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 2))
    y = (X[:, 0] > 0).astype(int)
    y[::25] = 1 - y[::25]
    frame = pandas.DataFrame(X, columns=["a", "b"], index=np.arange(900) + 5000)
    found = text(lm.LogisticRegression().fit(frame, y).diagnose(frame, y), "noise")
    named = [int(word) for word in found.split("(rows ")[1].split(", …")[0].split(", ")]
    assert len(named) == 5
    assert sum((row - 5000) % 25 == 0 for row in named) >= 4


def test_weights_and_offset_count(rows):
    X, y = rows
    wrong = np.arange(400) % 2 == 0
    spoilt = np.where(wrong, 1 - y, y)
    model = lm.LogisticRegression().fit(X, spoilt, (~wrong).astype(float))
    assert model.diagnose(X, spoilt, (~wrong).astype(float)).scores["this model"] > 0.7
    assert model.diagnose(X, spoilt).scores["this model"] < 0.65
    rng = np.random.default_rng(5)
    exposure = np.exp(rng.normal(size=400))
    counts = rng.poisson(exposure * np.exp(0.3 * X[:, 0]))
    fitted = lm.PoissonRegressor(0.0).fit(X, counts, offset=np.log(exposure))
    with_offset = fitted.diagnose(X, counts, offset=np.log(exposure)).scores["this model"]
    assert with_offset > fitted.diagnose(X, counts).scores["this model"] + 0.1


def test_few_rows_and_sparse_columns(rows):
    from scipy.sparse import random as random_sparse

    few = lm.Ridge().fit(rows[0][:20], rows[1][:20]).diagnose(rows[0][:20], rows[1][:20])
    assert "too few" in text(few, "tried")
    X = random_sparse(300, 1000, 0.02, format="csr", random_state=0)
    y = np.arange(300) % 2
    found = lm.LogisticRegression().fit(X, y).diagnose(X, y)
    assert "no more rows (300) than columns" in text(found, "collinear")
    assert "this model" in found.scores


def test_what_does_not_go_with_the_fit_is_refused(rows):
    model = lm.LogisticRegression().fit(*rows)
    with pytest.raises(ValueError, match="not among the classes of the fit"):
        model.diagnose(rows[0], rows[1] + 1)
    with pytest.raises(ValueError, match="400 rows and y 10"):
        model.diagnose(rows[0], rows[1][:10])
    with pytest.raises(ValueError, match="pass one or some chunks"):
        model.diagnose(lambda: iter([rows]), None)


def test_every_estimator_can_be_diagnosed(rows):
    X, y = rows
    value = X[:, 0] + np.arange(400) % 3
    positive = np.exp(0.3 * value)
    models = [
        (lm.LogisticRegressionCV(Cs=2, cv=2), y), (lm.LinearSVC(), y), (lm.LinearSVC(loss="hinge", tol=1e-3), y),
        (lm.LinearSVR(tol=1e-3), value), (lm.Lasso(0.1), value), (lm.ElasticNet(0.1), value),
        (lm.HuberRegressor(), value), (lm.LeastAbsoluteDeviations(tol=1e-3), value), (lm.GammaRegressor(), positive),
        (lm.GeneralizedLinearModel("logistic", alpha=0.0), y), (lm.GeneralizedLinearModel("tweedie"), positive),
    ]  # fmt: skip
    for model, target in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(X, target).diagnose(X, target)
        assert {"optimum", "tried"} <= found.kinds(), (model, str(found))
