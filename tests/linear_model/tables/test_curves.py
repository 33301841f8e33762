"""Curves of a page: their areas are scikit-learn's, they stay in the frame, and a page has one held-out number."""

import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from gradwright.linear_model import LinearSVC, LogisticRegression, Ridge, diagnose
from gradwright.linear_model.fit_table import curves, path_plot
from gradwright.linear_model.fit_table.drawing import WIDTH
from tests.linear_model.tables.made import file, fit

pytest.importorskip("pandas")


def rows(classes, n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).round(1)
    z = X @ rng.normal(size=(4, classes)) + rng.gumbel(size=(n, classes))
    return X, np.array([f"k{k}" for k in z.argmax(1)])


def inside(svg):
    """Whether every line is inside the picture."""
    height = float(re.search(r'viewBox="0 0 \d+ (\d+)"', svg)[1])
    points = [tuple(map(float, p.split(","))) for line in re.findall(r'points="([^"]*)"', svg) for p in line.split()]
    assert points
    return all(0 <= x <= WIDTH and 0 <= y <= height for x, y in points)


@pytest.mark.parametrize("kind", [LogisticRegression, LinearSVC])
@pytest.mark.parametrize("classes", [2, 4])
def test_areas_are_those_of_scikit_learn(classes, kind):
    X, y = rows(classes)
    model = kind().fit(X[:200], y[:200])
    X, y = X[200:], y[200:]
    z = model.predict_proba(X) if hasattr(model, "predict_proba") else model.decision_function(X)
    z = np.column_stack([-z, z]) if z.ndim == 1 else z
    for draw, area in ((curves.roc, roc_auc_score), (curves.precision_recall, average_precision_score)):
        svg = draw(model, X, y)
        assert inside(svg)
        shown = dict(re.findall(r"<title>(k\d): [a-z ]+ (\d\.\d+)</title>", svg))
        wanted = {label: f"{area(y == label, z[:, k]):.3f}" for k, label in enumerate(model.classes_)}
        assert shown == (wanted if classes > 2 else {"k1": wanted["k1"]})


def test_held_out_rows_of_one_class_have_no_curve():
    X, y = rows(2)
    model = LogisticRegression().fit(X, y)
    assert "all of one class" in curves.roc(model, X[y == "k0"], y[y == "k0"])


def test_residuals_say_their_mean_and_spread():
    left = np.array([1.0, -1.0, 3.0, 1.0])
    svg = curves.residuals(left + 5, np.full(4, 5.0))
    assert f"mean 1, standard deviation {np.std(left):.3g}" in svg
    assert svg.count("<circle") == 4
    assert "overflows" in curves.residuals(left, np.full(4, np.inf))


def test_the_path_goes_through_the_fit():
    X, y = rows(3)
    target = X @ [1.0, -2.0, 0.0, 0.5]
    model = Ridge(alpha=1.0).fit(X, target)
    svg = path_plot.path(lambda C: Ridge(alpha=1 / C), model, 1.0, X, target, list("abcd"))
    assert inside(svg)
    assert re.findall(r"<title>(\w)</title>", svg)[:2] == ["b", "a"], "the largest first"
    assert path_plot.path(lambda C: LogisticRegression(C=C), LogisticRegression().fit(X, y), 1.0, X, y, list("abcd"))


def test_a_path_of_many_passes_is_left_out(monkeypatch):
    monkeypatch.setattr(path_plot, "MOST", 1.0)
    X, y = rows(2)
    assert path_plot.path(lambda C: None, LogisticRegression().fit(X, y), 1.0, X, y, list("abcd")) == ""


def test_a_diagnosis_compares_on_the_rows_it_is_given():
    X, y = rows(3)
    model = LogisticRegression().fit(X[:200], y[:200])
    found = diagnose(model, X[:200], y[:200], held_out=(X[200:], y[200:]))
    assert found.scores["this model"] == model.score(X[200:], y[200:])
    assert "Accuracy on the held-out rows: this model" in str(found)
    strange = y[200:].copy()
    strange[0] = "new"
    assert diagnose(model, X[:200], y[:200], held_out=(X[200:], strange)).scores["this model"] < 1
    for settings, words in (
        ({"held_out": (X[200:], y[:3])}, "held_out has 100 rows and 3 targets"),
        ({"held_out": (X[200:], y[200:]), "sample_weight": np.ones(200)}, "neither sample_weight nor offset"),
    ):
        with pytest.raises(ValueError, match=words):
            diagnose(model, X[:200], y[:200], **settings)


def test_a_page_has_one_held_out_number(tmp_path):
    X, y = rows(3)
    lines = [",".join([*map(str, row), label]) for row, label in zip(X, y)]
    fitted, said = fit(file(tmp_path, ["a,b,c,d,kind", *lines]))
    assert f"{fitted.score:.3f}" == f"{fitted.diagnosis.scores['this model']:.3f}"
    assert "two thirds" not in said
    page = fitted.page.read_text(encoding="utf-8")
    for words in ("ROC", "Precision over recall", "The largest coefficients over C"):
        assert words in page
