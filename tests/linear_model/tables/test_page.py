"""The page: every text stands inside of its picture, says what it shows, and cannot run as code."""

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from gradwright.linear_model.fit_table import pictures
from gradwright.linear_model.fit_table.coefficients import coefficients
from gradwright.linear_model.fit_table.drawing import WIDTH, Axes, apart, fitted, plain, text, ticks, width
from tests.linear_model.tables.made import HEADER, file, fit, lines, numbers

pytest.importorskip("pandas")
TEXT = re.compile(
    r'<text x="([-\d.]+)" y="([-\d.]+)" text-anchor="(\w+)"(?: class="\w+")?>(?:<title>[^<]*</title>)?([^<]*)<'
)
LONG = "the size of the living room in square metres, measured "


def check_texts_fit(svg):
    """All texts that do not stand upright are inside of the picture, and none lie over each other in one line."""
    height = float(re.search(rf'viewBox="0 0 {WIDTH} (\d+)"', svg).group(1))
    svg = re.sub(r"<g transform.*?</g>", "", svg)
    found = TEXT.findall(svg)
    assert found
    spans = {}
    for x, y, anchor, words in found:
        wide = 0.8 * width(words)
        left = float(x) - {"start": 0, "middle": 0.5 * wide, "end": wide}[anchor]
        assert left >= -1, words
        assert left + wide <= WIDTH + 1, words
        assert 8 <= float(y) <= height, words
        spans.setdefault(y, []).append((left, left + wide, words))
    for row in spans.values():
        row.sort()
        for (_, end, one), (start, _, other) in pairwise(row):
            assert end <= start + 1, (one, other)


@pytest.mark.parametrize("low", [0.0, 1e9, -3e-7, -1e12, 1e-300])
@pytest.mark.parametrize("wide", [1e-3, 1.0, 47.3, 1e6, 1e-290])
def test_labels_of_axes_fit_whatever_the_numbers(low, wide):
    high = low + wide
    y = np.linspace(low, high, 9)
    check_texts_fit(pictures.scatter(y, y))
    assert "−0<" not in pictures.scatter(y, y)


@pytest.mark.parametrize("classes", [2, 3, 5, 22])
@pytest.mark.parametrize("size", [1e-9, 1.0, 3e7])
def test_long_names_fit_and_stay_apart(classes, size):
    rng = np.random.default_rng(0)
    labels = np.array([f"{LONG}{k}" for k in range(classes)])
    coef = size * rng.normal(size=(1 if classes == 2 else classes, 30))
    model = SimpleNamespace(coef_=coef, classes_=labels, predict=lambda X: labels[X])
    names = [f"{LONG}{j:02d}" for j in range(30)]
    drawn = coefficients(model, names)
    check_texts_fit(drawn)
    assert "the largest 16 of 30" in drawn
    # the end of a name tells it from its neighbours
    assert len(set(re.findall(r"</title>([^<]*…[^<]*)</text>", drawn))) >= 16
    y = rng.integers(0, classes, 200)
    table = pictures.confusion(model, rng.integers(0, classes, 200), labels[y])
    check_texts_fit(table)
    assert ("the 20 most frequent of 22 classes" in table) == (classes == 22)


def test_a_class_that_the_fit_never_saw_has_a_row():
    labels = np.array(["a", "b"])
    model = SimpleNamespace(classes_=labels, predict=lambda X: labels[X])
    table = pictures.confusion(model, np.array([0, 1, 1]), np.array(["a", "b", "c"]))
    assert "1 rows of class c taken for b" in table


def test_ticks_are_round_and_inside():
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] or len(ticks(0.0, 1.0)) >= 3
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (3.2, 3.3), (-1e9, 5e8)):
        values = ticks(low, high)
        assert 2 <= len(values) <= 7
        assert all(low - 1e-9 * (high - low) <= value <= high + 1e-9 * (high - low) for value in values)
    assert ticks(2.0, 2.0) == [2.0]
    assert str(Axes("x", "y", (-1.0, 1.0), (0.0, 1.0)).columns[0].count(0.0)) == "1"


def test_numbers_and_names_are_short():
    assert [plain(v) for v in (16470.123, 298800.0, 0.00012346, 0.0, 1e12, -3.14159, 9999.6)] == [
        "16470", "298800", "0.0001235", "0", "1e12", "-3.142", "10000"
    ]  # fmt: skip
    assert fitted("short", 100) == "short"
    assert fitted("town=Garmisch-Partenkirchen", 100).endswith("hen")
    assert apart(["Fachbereich A lang", "Fachbereich B lang"], 60) == ["…A…", "…B…"]
    assert apart(["Ulm", "Bonn", "Bonn"], 60) == ["Ulm", "Bonn", "Bonn"]
    assert width(fitted("大" * 50, 100)) <= 100
    assert text(0, 0, "<b>&") == '<text x="0.0" y="0.0" text-anchor="start">&lt;b&gt;&amp;</text>'


class Tags(HTMLParser):
    """Collects the names of tags and their attributes."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}


def test_nothing_of_a_file_runs_in_the_page(tmp_path):
    evil = "<script>alert(1)</script>\"' onload=x"
    rows = lines(yes=f'"{evil.replace(chr(34), chr(34) * 2)}"')
    header = HEADER.replace("price", f'"{evil.replace(chr(34), chr(34) * 2)}"')
    fitted_, _ = fit(file(tmp_path, [header, *rows], "<i>.csv"))
    html = fitted_.page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(html)
    assert not tags.seen & {"script", "onload", "i", "b1"}
    assert "http" not in html


def test_a_reader_learns_what_was_done_and_how_to_go_on(tmp_path):
    import joblib
    import pandas

    content = "größe;town;preis\n" + "\n".join(
        f"{i % 7},{i % 10};{'Ulm' if i % 3 else 'Bonn'};{i % 9 + 1}.{i * 37 % 1000:03d},50" for i in range(40)
    )
    path = file(tmp_path, content)
    fitted_, said = fit(path, "preis", C=0.5, seed=2)
    html = fitted_.page.read_text(encoding="utf-8")
    for words in (
        "C 0.5, test size 0.25, seed 2",
        "30 + 10",
        "decimal comma: &#x27;1.000,50&#x27; is read as 1000.5",
        "mean absolute error",
        "held-out R²",
        "Figures below compare models on the held-out rows",
    ):
        assert words in html
    for line in fitted_.diagnosis.findings:
        assert "held-out" not in line[1]
    assert "compare models on the held-out rows" in said
    call = re.search(r"model\.predict\((pandas\.read_csv\(.*\))\)\)", unescape(html)).group(1)
    frame = eval(call.replace('"new.csv"', repr(str(path))), {"pandas": pandas})
    np.testing.assert_allclose(frame["preis"], [1000 * (i % 9 + 1) + i * 37 % 1000 + 0.5 for i in range(40)])
    if fitted_.saved.suffix == ".joblib":
        model = joblib.load(fitted_.saved)
        np.testing.assert_allclose(model.predict(frame), fitted_.model.predict(frame[["town", "größe"]]))
        assert model.score(frame, frame["preis"]) == pytest.approx(fitted_.model.score(frame, frame["preis"]))


def test_predictions_of_the_saved_model_are_those_that_were_scored(tmp_path):
    import pandas

    path = file(tmp_path, numbers())
    fitted_, _ = fit(path, "count", loss="squared", test_size=0.9)
    frame = pandas.read_csv(path)
    from sklearn.model_selection import train_test_split

    _, test = train_test_split(np.arange(40), test_size=0.9, random_state=0)
    assert fitted_.model.score(frame.iloc[test], frame["count"].iloc[test]) == pytest.approx(fitted_.score, rel=1e-9)
