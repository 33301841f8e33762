"""A saved model predicts new files: without the target, with categories it never saw, with values that are missing."""

import csv
import sys
import warnings

import joblib
import numpy as np
import pytest

from gradwright.cli import main
from gradwright.linear_model.fit_table import load_model, predict_table
from gradwright.linear_model.fit_table.table import read
from tests.linear_model.tables.made import file, fit

pandas = pytest.importorskip("pandas")


def town_rows(n=120, decimal="."):
    rng = np.random.default_rng(3)
    size, town = rng.normal(2, 1, n), rng.choice(["Bonn", "Köln", "Ulm"], n)
    kind = np.where(size - 2 + (town == "Ulm") > 0.4, "yes", "no")
    price = 1000 + 300 * size + 500 * (town == "Ulm")
    return pandas.DataFrame({"size": size.round(3), "town": town, "kind": kind, "price": price.round(2)})


@pytest.fixture
def frame():
    return town_rows()


@pytest.fixture
def saved(frame, tmp_path):
    frame.to_csv(tmp_path / "data.csv", index=False)
    return fit(tmp_path / "data.csv", "kind", drop=["price"])[0]


def predicted(model, path, **settings):
    said: list[str] = []
    done = predict_table(model, path, path.parent / "p.csv", say=said.append, **settings)
    return done, "\n".join(said)


def test_the_same_file_with_and_without_the_target(frame, saved, tmp_path):
    whole, said = predicted(saved.saved, tmp_path / "data.csv")
    assert "column 'kind' is what the model predicts" in said
    frame[["town", "size"]].to_csv(tmp_path / "new.csv", index=False)
    bare, said = predicted(saved.saved, tmp_path / "new.csv")
    assert "kind" not in said
    assert whole.values.tolist() == bare.values.tolist() == saved.model.predict(frame).tolist()
    with open(bare.saved, newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["kind", "probability of no", "probability of yes"]
    assert [row[0] for row in rows] == bare.values.tolist()
    np.testing.assert_allclose([float(row[2]) for row in rows], saved.model.predict_proba(frame)[:, 1], rtol=1e-5)


def test_what_the_fit_never_saw_is_its_average_row(frame, saved, tmp_path):
    model, line = saved.model[-1], file(tmp_path, ["size,town", "2.5,Atlantis", "2.5,", ",Ulm"], "new.csv")
    done, said = predicted(saved.saved, line)
    assert "'town' is 'Atlantis' in 1 of 3 rows, which the fit did not have" in said
    assert "'town' is missing in 1 of 3 rows" in said
    assert "'size' is missing in 1 of 3 rows; the median of the fit" in said
    scale = saved.model[1]
    z = (2.5 - scale.mean_[0]) / scale.scale_[0] * model.coef_[0, 0] + model.intercept_[0]
    np.testing.assert_allclose(done.probabilities[:2, 1], 1 / (1 + np.exp(-z)), rtol=1e-9)
    with pytest.warns(UserWarning, match="Atlantis"):
        again = saved.model.predict_proba(pandas.DataFrame({"size": [2.5], "town": ["Atlantis"]}))
    np.testing.assert_allclose(again[0], done.probabilities[0])


def test_new_values_are_read_as_those_of_the_fit(frame, tmp_path):
    """A file of few rows may look otherwise: 1.234 beside decimal commas, a code of digits among words."""
    german = frame.assign(price=frame["price"].map(lambda p: f"{p:,.2f}".translate(str.maketrans(",.", ".,"))))
    german["town"] = german["town"].replace({"Bonn": "7"})
    german.to_csv(tmp_path / "data.csv", index=False, sep=";")
    fitted, _ = fit(tmp_path / "data.csv", "kind")
    new = file(tmp_path, ["size;town;price", "2.5;7;1.234", "2.5;7;1.234,00"], "new.csv")
    done, said = predicted(fitted.saved, new)
    assert "did not have" not in said
    assert done.probabilities[0, 1] == done.probabilities[1, 1]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["size", "1"], "there is no column 'town', of which the model was fitted"),
        (["size,Town", "1,Ulm"], "did you mean 'Town'"),
        (["size,town", "big,Ulm"], "'size' holds 'big' in line 2, and numbers in the rows of the fit"),
        (["size,town", "1e999,Ulm"], "infinite value in line 2"),
        (["size,town"], "a header and no rows"),
    ],
)
def test_files_that_the_model_cannot_take(saved, tmp_path, lines, words):
    with pytest.raises(ValueError, match=words):
        predicted(saved.saved, file(tmp_path, lines, "new.csv"))
    assert not (tmp_path / "p.csv").exists()


def test_what_is_no_model_is_refused(saved, tmp_path):
    joblib.dump({"a": 1}, tmp_path / "other.joblib")
    (tmp_path / "broken.joblib").write_bytes(b"no pickle")
    for name, words in (
        ("absent.joblib", "there is no file"),
        ("data.csv", "neither .skops nor .joblib"),
        ("other.joblib", "holds a dict"),
        ("broken.joblib", "cannot be loaded"),
    ):
        with pytest.raises(ValueError, match=words):
            load_model(tmp_path / name, warn=lambda line: None)
    with pytest.raises(ValueError, match="is a file to read"):
        predict_table(saved.saved, tmp_path / "data.csv", tmp_path / "data.csv", say=lambda line: None)


def test_a_joblib_file_is_loaded_with_a_warning_and_skops_without(saved, tmp_path):
    if saved.saved.suffix == ".joblib":
        with pytest.warns(UserWarning, match="may run any code"):
            load_model(saved.saved)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_model(saved.saved)


def test_skops_refuses_types_of_others(saved, tmp_path):
    pytest.importorskip("skops").io.dump({"a": fit}, tmp_path / "other.skops")
    with pytest.raises(ValueError, match=r"asks for|cannot be loaded"):
        load_model(tmp_path / "other.skops")


def holes(frame):
    rng = np.random.default_rng(0)
    out = frame.copy()
    out["size"] = out["size"].mask(rng.random(len(out)) < 0.2)
    out["town"] = out["town"].mask(rng.random(len(out)) < 0.1)
    out["kind"] = out["kind"].mask(rng.random(len(out)) < 0.05)
    return out


def test_missing_values_are_refused_dropped_or_filled(frame, tmp_path):
    spoiled = holes(frame)
    spoiled.to_csv(tmp_path / "data.csv", index=False)
    path = tmp_path / "data.csv"
    with pytest.raises(ValueError, match=r"'size' \(24 of 120 rows\).*--missing impute"):
        fit(path)
    whole = spoiled.dropna()
    fitted, said = fit(path, missing="drop")
    assert f"{120 - len(whole)} of 120 rows lack a value and are left out" in said
    table = read(path, "kind", "drop")
    assert table.X.shape == (len(whole), 4)
    assert table.where(0) == f"line {whole.index[0] + 2}"
    whole.to_csv(tmp_path / "whole.csv", index=False)
    other, _ = fit(tmp_path / "whole.csv")
    np.testing.assert_array_equal(fitted.model[-1].coef_, other.model[-1].coef_)
    filled, said = fit(path, missing="impute")
    assert "the category '(missing)' there" in said
    assert filled.model[0].names == ["size", "size is missing", "town=Köln", "town=Ulm", "town=(missing)", "price"]


def test_what_is_filled_in_is_learnt_from_the_rows_to_fit(frame, tmp_path):
    holes(frame).to_csv(tmp_path / "data.csv", index=False)
    fitted, _ = fit(tmp_path / "data.csv", missing="impute")
    table = read(tmp_path / "data.csv", "kind", "impute")
    from gradwright.linear_model.fit_table.target import split

    train, _ = split(table, table.y.astype(str), "kind", "softmax", 0.25, 0)
    code = fitted.model[0].codes[0]
    assert code["fill"] == np.nanmedian(table.X[train, 0])
    # the pipeline encodes the file's own rows as the fit did
    rows = pandas.read_csv(tmp_path / "data.csv").dropna(subset="kind")
    known = np.where(np.isnan(table.X), code["fill"], table.X)
    np.testing.assert_array_equal(fitted.model[0].transform(rows).to_numpy(), known)


def test_a_column_without_any_value_is_left_out_and_no_row_is_an_error(tmp_path):
    rows = [f"{i % 7},,{'ab'[i % 3 == 0]}" for i in range(40)]
    fitted, said = fit(file(tmp_path, ["x,empty,kind", *rows]), missing="impute")
    assert "column 'empty' holds no value at all and is left out" in said
    assert fitted.model[0].names == ["x"]
    with pytest.raises(ValueError, match="every row lacks a value"):
        fit(file(tmp_path, ["x,z,kind", "1,,a", ",2,b"]), missing="drop")
    with pytest.raises(ValueError, match="missing must be one of error, drop, impute"):
        fit(tmp_path / "data.csv", missing="mean")


def test_columns_are_dropped_by_name(frame, tmp_path):
    frame.assign(name=[f"n{i}" for i in range(120)]).to_csv(tmp_path / "data.csv", index=False)
    fitted, _ = fit(tmp_path / "data.csv", drop=["name", "price"])
    assert fitted.model[0].names == ["size", "town=Köln", "town=Ulm"]
    with pytest.raises(ValueError, match=r"no column 'nam' for --drop; did you mean 'name'"):
        fit(tmp_path / "data.csv", drop=["nam"])
    with pytest.raises(ValueError, match="is the --target and in --drop too"):
        fit(tmp_path / "data.csv", drop=["kind"])


def test_on_the_command_line(frame, tmp_path, monkeypatch, capsys):
    holes(frame).to_csv(tmp_path / "data.csv", index=False)
    out = tmp_path / "out"

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gradwright", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    options = ["--target", "kind", "--out", out, "--missing", "impute", "--drop", "price, size", "--quiet"]
    code, said = run("fit", tmp_path / "data.csv", *options)
    assert code == 0, said.err
    held, model, page = said.out.splitlines()
    assert held.startswith("held-out accuracy")
    assert model.startswith("model: ")
    assert page.startswith("page: ")
    assert said.err == ""
    saved = next(each for each in out.iterdir() if each.stem == "model")
    code, said = run("predict", saved, tmp_path / "data.csv", "--out", tmp_path / "p.csv")
    assert code == 0, said.err
    assert "120 predictions, in the order of the rows" in said.out
    code, said = run("predict", saved, tmp_path / "absent.csv")
    assert (code, said.err.count("\n")) == (2, 1)
