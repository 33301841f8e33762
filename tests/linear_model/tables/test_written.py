"""Written: a number comes back as it was, whatever the country it is written in, and text stays text."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradwright.linear_model.fit_table.written import number, reading

numbers = st.integers(-(10**14), 10**14).map(lambda cents: Decimal(cents) / 100)
STYLES = {"point": (",", "."), "comma": (".", ",")}


BETWEEN = ["", "own", " ", "\u00a0", "\u202f", "'", "’"]


@settings(max_examples=60, deadline=None)
@given(
    style=st.sampled_from(sorted(STYLES)),
    between=st.sampled_from(BETWEEN),
    values=st.lists(numbers, min_size=1, max_size=8),
)
def test_a_number_comes_back(style, between, values):
    own, decimal = STYLES[style]
    between = own if between == "own" else between
    texts = [f"{value:,.2f}".replace(",", "G").replace(".", decimal).replace("G", between) for value in values]
    # two digits behind the mark leave no doubt
    assert reading(texts) == style
    assert [number(text, style) for text in texts] == [float(value) for value in values]


@settings(max_examples=60, deadline=None)
@given(value=st.floats(allow_nan=False))
def test_whatever_python_writes_is_a_number_with_a_point(value):
    assert reading([repr(value)]) in ("point", "either", "same")
    assert number(repr(value), "point") == value


@settings(max_examples=100, deadline=None)
@given(text=st.text("0123.,-+eE '\u00a0", max_size=12))
def test_what_is_taken_for_a_number_is_one_in_each_way_it_matches(text):
    how = reading([text])
    for way in ("point", "comma"):
        if how in (way, "either", "same"):
            number(text, way)
    if how == "same":
        assert number(text, "point") == number(text, "comma")


@pytest.mark.parametrize(
    "text",
    ["", ".", ",", "-", "+", "e5", "1_000", "1.2.3", "12,34,56", "0,123,456", "1,2,3", "2020-01-01", "12:30", "1 2",
     "a1", "nan", "0x10", "1e", "--1", "１２"],
)  # fmt: skip
def test_what_is_no_number(text):
    assert reading([text]) == "text"


@pytest.mark.parametrize(
    ("texts", "how"),
    [
        (["1.002", "950"], "either"),
        (["1,002"], "either"),
        (["1.002", "0.5"], "point"),
        (["1.002", "1.002.000"], "comma"),
        (["1,002", "1,5"], "comma"),
        (["12", "1 002", "1e5"], "same"),
        (["1.5", "1,5"], "text"),
        (["−3,5"], "comma"),
    ],
)
def test_marks_that_both_ways_may_mean(texts, how):
    assert reading(texts) == how
