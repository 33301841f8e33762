"""From a table to a model, a page and plain words; and the certified example."""

import re
import runpy
from io import StringIO
from pathlib import Path

import joblib
import numpy as np
import pytest
from rich.console import Console

from gradwright.linear_model.certificate import Record
from gradwright.linear_model.fit_table import fit_table
from gradwright.linear_model.fit_table.progress import shown
from gradwright.linear_model.fit_table.table import read

pandas = pytest.importorskip("pandas")
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    size = rng.normal(size=200)
    town = rng.choice(["Bonn", "Köln", "Ulm"], 200)
    kind = np.where(size + (town == "Ulm") + 0.3 * rng.normal(size=200) > 0.4, "yes", "<no>")
    return pandas.DataFrame({"size": size, "town": town, "kind": kind, "price": 3 * size + rng.normal(size=200)})


def test_classes(frame, tmp_path):
    frame.to_csv(tmp_path / "data.csv", index=False)
    said = []
    fitted = fit_table(tmp_path / "data.csv", "kind", out=tmp_path / "out", say=said.append)
    assert fitted.score > 0.8
    text = "\n".join(said)
    assert "3 categories" in text
    assert "converged" in text
    page = fitted.page.read_text(encoding="utf-8")
    assert "<no>" not in page
    assert "&lt;no&gt;" in page
    assert page.count("<svg") == 7
    assert "http" not in page
    if fitted.saved.suffix == ".joblib":
        loaded = joblib.load(fitted.saved)
        assert loaded[-1].result_.status == "converged"


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute", "epsilon_insensitive"])
def test_numbers(frame, tmp_path, loss):
    frame.to_csv(tmp_path / "data.csv", index=False)
    fitted = fit_table(tmp_path / "data.csv", "price", loss=loss, out=tmp_path / "out", say=lambda line: None)
    assert fitted.score > 0.5
    assert fitted.page.read_text(encoding="utf-8").count("<svg") == 5


def test_parquet(frame, tmp_path):
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "data.parquet")
    assert fit_table(tmp_path / "data.parquet", "kind", out=tmp_path / "out", say=lambda line: None).score > 0.8


def test_errors_name_the_column_and_the_way_out(frame, tmp_path):
    path = tmp_path / "data.csv"

    def refuse(words, frame, target="kind", **settings):
        frame.to_csv(path, index=False)
        with pytest.raises(ValueError, match=words):
            fit_table(path, target, out=tmp_path / "out", say=lambda line: None, **settings)

    refuse(r"missing values in 'size' \(1 of 200 rows\)", frame.assign(size=frame["size"].mask(frame.index == 3)))
    refuse("no column 'nothing'.*'town'", frame, target="nothing")
    refuse("loss must be one of", frame, loss="log")
    refuse("test_size must be between", frame, test_size=2.0)
    refuse("holds text, which --loss squared", frame, loss="squared")
    refuse("one class only", frame.assign(kind="a"))
    refuse("200 different texts", frame.assign(name=[f"row {i}" for i in range(200)]))
    with pytest.raises(ValueError, match="there is no file"):
        fit_table(tmp_path / "absent.csv", "kind")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.parquet cannot be read"):
        fit_table(tmp_path / "bad.parquet", "kind")


@pytest.mark.parametrize(("separator", "decimal"), [(";", "."), (";", ","), ("\t", "."), ("|", ".")])
def test_other_separators_and_decimal_commas(frame, tmp_path, separator, decimal):
    frame.to_csv(tmp_path / "data.csv", index=False, sep=separator, decimal=decimal)
    table = read(tmp_path / "data.csv", "kind")
    assert table.names == ["size", "town=Köln", "town=Ulm", "price"]
    np.testing.assert_allclose(table.X[:, 0], frame["size"], rtol=1e-12)


def test_files_that_are_no_table(tmp_path):
    def refuse(words, name="data.csv", content=None):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=words):
            read(tmp_path / name, "y")

    refuse("is a folder", ".")
    refuse(r"cannot be read as CSV.*a header", content=b"Dear all,\nthis is, in fact, a letter\n\n,,,,,\n")
    refuse("cannot be read as CSV", content=b"")
    refuse("a header and no rows", content=b"x,y\n")
    refuse("not UTF-8 text", content="x,y\nKöln,1\n".encode("latin-1"))
    refuse(r"no column beside the target 'y'", content=b"y\n1\n2\n")
    refuse("holds infinite values", content=b"x,y\ninf,1\n2,2\n")


def test_many_classes_are_a_table_of_colours(tmp_path):
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 6, 300)
    table = pandas.DataFrame({"a": np.cos(kind) + 0.3 * rng.normal(size=300), "b": np.sin(kind), "kind": kind})
    table.to_csv(tmp_path / "data.csv", index=False)
    fitted = fit_table(tmp_path / "data.csv", "kind", out=tmp_path / "out", say=lambda line: None)
    page = fitted.page.read_text(encoding="utf-8")
    assert "deepest blue" in page
    assert len(re.findall(r"<rect[^>]*><title>a, ", page)) == 6


def test_progress_is_one_line_on_a_terminal_and_a_few_elsewhere():
    records = [Record(1.0 / (i + 1), 0.1, 1.0, i, 0.0) for i in range(9)]
    for terminal in (True, False):
        said, screen = [], StringIO()
        with shown(said.append, Console(file=screen, force_terminal=terminal, width=100)) as show:
            for record in records:
                assert not show(record)
        if terminal:
            assert not said
            assert "iteration 9: objective 0.1111" in screen.getvalue()
        else:
            assert [line.split(":")[0] for line in said] == [f"iteration {i}" for i in (1, 2, 4, 8)]


def test_the_example_is_certified(capsys):
    runpy.run_path(str(EXAMPLES / "certified_softmax.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert said.count("converged: the optimum is reached") == 3
    assert "Products of two columns" in said
