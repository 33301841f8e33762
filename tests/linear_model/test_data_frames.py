"""Data frames of other libraries than pandas: the same fit as of arrays, names kept, what is no number refused."""

from decimal import Decimal

import numpy as np
import pytest

from gradwright import linear_model as lm

rng = np.random.default_rng(0)
COLUMNS = {"a": rng.normal(size=50), "height": rng.normal(size=50), "count": rng.integers(0, 5, 50)}
Y = (COLUMNS["a"] > 0).astype(np.int64)


class Stream:
    """A frame that only streams, as DuckDB's relations do."""

    def __init__(self, table):
        self.table, self.columns = table, table.column_names

    def __arrow_c_stream__(self, schema=None):
        return self.table.__arrow_c_stream__(schema)


def of_polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def of_arrow(columns):
    return pytest.importorskip("pyarrow").table(columns)


def of_stream(columns):
    return Stream(of_arrow(columns))


MAKERS = [of_polars, of_arrow, of_stream]


@pytest.mark.parametrize("make", MAKERS)
def test_a_frame_is_its_values_and_names(make):
    frame, X = make(COLUMNS), np.column_stack(list(COLUMNS.values()))
    for y in (Y, np.where(Y, "yes", "no")):
        expected = lm.LogisticRegression().fit(X, y)
        model = lm.LogisticRegression().fit(frame, y)
        assert model.feature_names_in_.tolist() == list(COLUMNS)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.predict(frame), expected.predict(X))
        assert model.score(frame, y) == expected.score(X, y)
    assert lm.diagnose(model, frame, y).kinds() >= {"optimum"}


@pytest.mark.parametrize("make", [of_polars, of_arrow])
def test_columns_of_a_frame_are_targets_weights_and_offsets(make):
    weights = 1.0 + (np.arange(50) % 3)
    given = make({"y": COLUMNS["a"], "w": weights, "o": COLUMNS["height"], "label": np.where(Y, "yes", "no").tolist()})
    frame, X = make(COLUMNS), np.column_stack(list(COLUMNS.values()))
    model = lm.Ridge().fit(frame, given["y"], sample_weight=given["w"], offset=given["o"])
    expected = lm.Ridge().fit(X, COLUMNS["a"], weights, COLUMNS["height"])
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    labels = lm.LogisticRegression().fit(frame, given["label"])
    assert labels.classes_.tolist() == ["no", "yes"]
    chunks = lm.LogisticRegression().fit(lambda: iter([(frame, given["label"])]))
    assert chunks.feature_names_in_.tolist() == list(COLUMNS)
    np.testing.assert_allclose(chunks.coef_, labels.coef_, rtol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["Ulm"] * 50, "column 'new' of X holds values such as 'Ulm', not numbers"),
        (np.full(50, "2020-01-01", "datetime64[ms]"), "column 'new' of X holds dates or times"),
        ([[1, 2]] * 50, "column 'new' of X holds values such as"),
        ([None, *range(49)], "NaN in column 'new', first in row 0"),
        ([0.0, np.inf, *range(48)], "infinity in column 'new', first in row 1"),
    ],
)
def test_what_is_no_number_is_refused_by_name(make, values, words):
    frame = make({**COLUMNS, "new": values})
    with pytest.raises(ValueError, match=words):
        lm.Ridge().fit(frame, Y)
    with pytest.raises(ValueError, match=words.split(",")[0]):
        lm.Ridge().fit(lambda: iter([(frame, Y)]))


@pytest.mark.parametrize("make", MAKERS)
def test_truth_values_and_decimals_are_numbers(make):
    new = {"dear": (COLUMNS["a"] > 0.5), "price": [Decimal(f"{v:.2f}") for v in COLUMNS["height"]]}
    model = lm.Ridge().fit(make({**COLUMNS, **new}), Y)
    X = np.column_stack([*COLUMNS.values(), new["dear"], [float(v) for v in new["price"]]])
    np.testing.assert_array_equal(model.coef_, lm.Ridge().fit(X, Y).coef_)


def test_float32_stays_and_rows_without_labels_are_named():
    polars = pytest.importorskip("polars")
    frame = of_polars({name: values.astype(np.float32) for name, values in COLUMNS.items()})
    assert lm.Ridge()._read(frame, Y, None)[0].dtype == np.float32
    for labels in ([None, *Y[1:].tolist()], [None, *np.where(Y, "yes", "no")[1:].tolist()]):
        with pytest.raises(ValueError, match="contains NaN or None, first in row 0"):
            lm.LogisticRegression().fit(frame, polars.Series(labels))
    with pytest.raises(ValueError, match=r"LazyFrame, which is not computed yet; pass X.collect\(\)"):
        lm.Ridge().fit(frame.lazy(), Y)


def test_columns_that_are_not_those_of_the_fit_are_refused():
    frame = of_arrow(COLUMNS)
    model = lm.Ridge().fit(frame, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.select(["height", "a", "count"]))
