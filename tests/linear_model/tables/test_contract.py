"""The contract of the command: every option has an effect with every loss, and every file gives a model or an error.

An error is one of our own, in one line, and leaves nothing half-written.
"""

import re
import sys
from datetime import date
from decimal import Decimal
from io import BytesIO, TextIOWrapper
from itertools import product

import numpy as np
import pytest

from gradwright.cli import main
from gradwright.linear_model.fit_table.models import CLASSES, MODELS
from tests.linear_model.tables.made import HEADER, file, fit, lines, numbers

pytest.importorskip("pandas")

LOSSES = list(MODELS)
OPTIONS = {"C": 1e-3, "seed": 3, "test_size": 0.5}
"""Another value than the default of every option that is a number."""


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Each loss with the defaults: its file, its target, the coefficients and the score."""
    folder = tmp_path_factory.mktemp("usual")
    classes, counts = file(folder, [HEADER, *lines()], "classes.csv"), file(folder, numbers(), "numbers.csv")
    out = {}
    for loss in LOSSES:
        path, target = (classes, "kind") if loss in CLASSES else (counts, "count")
        out[loss] = path, target, fit(path, target, loss=loss, out=folder / loss)[0]
    return out


@pytest.mark.parametrize(("loss", "option"), list(product(LOSSES, OPTIONS)))
def test_every_option_changes_every_fit(usual, loss, option):
    path, target, before = usual[loss]
    after, _ = fit(path, target, loss=loss, **{option: OPTIONS[option]})
    there, here = before.model[-1], after.model[-1]
    assert not np.allclose(there.coef_, here.coef_, rtol=1e-3)
    if option == "C":
        # a smaller C is a stronger penalty
        assert np.abs(here.coef_).max() < np.abs(there.coef_).max()


@pytest.mark.parametrize("unit", [1e-4, 1e6])
@pytest.mark.parametrize("loss", ["squared", "huber", "absolute", "epsilon_insensitive"])
def test_the_units_of_a_target_do_not_matter(usual, loss, unit, tmp_path):
    """Those of a logarithm do not either: it is shifted by them, and the intercept is free."""
    path, target, before = usual[loss]
    header, *rows = path.read_text().splitlines()
    scaled = [",".join((*row.split(",")[:2], repr(unit * int(row.split(",")[2])))) for row in rows]
    after, _ = fit(file(tmp_path, [header, *scaled]), target, loss=loss)
    assert after.score == pytest.approx(before.score, abs=2e-3)
    there, here = before.model[-1].coef_, after.model[-1].coef_ / unit
    np.testing.assert_allclose(here, there, atol=1e-2 * np.abs(there).max())


@pytest.mark.parametrize("loss", LOSSES)
def test_a_saved_model_takes_rows_of_the_file(usual, loss):
    import joblib
    import pandas

    path, _, fitted = usual[loss]
    model = joblib.load(fitted.saved) if fitted.saved.suffix == ".joblib" else fitted.model
    guess = model.predict(pandas.read_csv(path))
    assert len(guess) == 40
    assert len(np.unique(guess)) > 1


def test_a_saved_model_takes_rows_of_every_type(tmp_path):
    """Truth values, decimals, categories and dates as pandas reads them from the file that was fitted."""
    import pandas

    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    n = 40
    columns = {
        "old": [i % 3 == 0 for i in range(n)],
        "price": [Decimal(i * i % 17) / 4 for i in range(n)],
        "town": pyarrow.array(["Ulm", "Bonn"] * 20).dictionary_encode(),
        "day": [date(2020, 1, 1 + i % 5) for i in range(n)],
        "kind": ["yes" if i % 7 < 3 else "no" for i in range(n)],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "data.parquet")
    fitted, said = fit(tmp_path / "data.parquet")
    assert "'day': times are taken for texts such as '2020-01-01'; give the model such texts, too" in said
    frame = pandas.read_parquet(tmp_path / "data.parquet")
    guess = fitted.model.predict(frame.assign(day=frame["day"].astype(str)))
    # the same rows as a CSV file are the same model
    frame.to_csv(tmp_path / "data.csv", index=False)
    other, _ = fit(tmp_path / "data.csv")
    assert guess.tolist() == other.model.predict(pandas.read_csv(tmp_path / "data.csv")).tolist()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_target_that_a_loss_cannot_take_is_named_by_its_line(loss, tmp_path):
    """Wherever the row goes in the split; the loss decides what it takes."""
    spoiled = {"inf": "infinite", "": "missing values"}
    if loss in ("poisson", "gamma"):
        spoiled["-1"] = f"holds -1 in line 42, and --loss {loss}"
    for value, words in spoiled.items():
        path = file(tmp_path, [*numbers().splitlines(), f"0.5,Ulm,{value}"])
        for seed in (0, 1):
            with pytest.raises(ValueError, match=f"'count'.*{words}|{words}.*'count'") as refusal:
                fit(path, "count", loss=loss, seed=seed)
            assert "line 42" in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be"),
        ({"C": 0.0}, "C must be above 0"),
        ({"C": float("inf")}, "C must be above 0 and between 1e-100 and 1e100, not inf"),
        ({"C": float("nan")}, "C must be"),
        ({"test_size": float("nan")}, "test_size must be between 0 and 1"),
        ({"test_size": 1.0}, "test_size must be"),
        ({"test_size": 0.999}, "40 rows cannot be split with test_size 0.999"),
        ({"loss": "softplus"}, "loss must be one of softmax, hinge"),
        ({"target": "nothing"}, "no column 'nothing' for --target; its columns are 'size', 'price', 'kind'"),
    ],
)
def test_options_out_of_range_are_refused_by_name(settings, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        fit(file(tmp_path, [HEADER, *lines()]), **settings)
    assert not (tmp_path / "out").exists()


def test_a_target_that_never_changes_is_said(tmp_path):
    rows = [f"{i},{i % 3},3.5" for i in range(40)]
    with pytest.raises(ValueError, match=r"'y' holds 3.5 in every row, so that there is nothing to predict"):
        fit(file(tmp_path, ["a,b,y", *rows]), "y")
    rows[7] = "7,1,4.5"
    path = file(tmp_path, ["a,b,y", *rows])
    # one of these seeds holds row 7 out
    with pytest.raises(ValueError, match=r"'y' holds 3.5 in every row to fit .30., of which nothing can be learnt"):
        fit(path, "y", seed=4)
    fitted, said = fit(path, "y", seed=0)
    assert np.isnan(fitted.score)
    assert "every held-out target is 3.5, so that there is no R²" in said
    assert "not defined" in fitted.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("loss", ["squared", "poisson"])
def test_a_diagnosis_that_cannot_compare_is_no_end_of_a_fit(tmp_path, loss):
    """A single count above 0: whatever third of the rows is set aside, one part is all zeros."""
    path = file(tmp_path, ["a,y", *(f"{i % 7},{5 if i == 1 else 0}" for i in range(100))])
    fitted, _ = fit(path, "y", loss=loss)
    assert fitted.diagnosis.kinds() >= {"tried"}
    assert "are all alike, so that other models cannot be compared" in str(fitted.diagnosis)


def test_names_of_files_that_cannot_be(tmp_path):
    path = file(tmp_path, [HEADER, *lines()])
    for name in ("\0", "x" * 5000, "/dev/null", str(tmp_path)):
        with pytest.raises(ValueError, match=r"there is no file|is a folder|a device or a pipe") as refusal:
            fit(path.parent / name, out=tmp_path / "out")
        assert len(str(refusal.value)) < 400
    for name in ("\0", "x" * 300):
        with pytest.raises(ValueError, match=r"nothing can be written to --out"):
            fit(path, out=tmp_path / name)


def test_the_majority_stands_beside_the_score(tmp_path):
    _, said = fit(file(tmp_path, [HEADER, *lines()]))
    assert "held-out accuracy" in said
    assert "always 'yes', the most frequent class of the rows to fit, gets" in said
    _, said = fit(file(tmp_path, numbers()), "count", loss="squared")
    assert "held-out R²" in said
    assert re.search(r"mean absolute error [\d.]+, of always [\d.]+ \(the median of the rows to fit\) [\d.]+", said)


def test_a_class_that_only_held_out_rows_have_is_said(tmp_path):
    path = file(tmp_path, [HEADER, *lines(), "0,0,rare"])
    said = [fit(path, seed=seed)[1] for seed in range(6)]
    assert {"only held-out rows are of class rare" in text for text in said} == {True, False}


def test_a_terminal_without_a_letter_shows_a_mark(tmp_path, monkeypatch):
    path = file(tmp_path, [HEADER, *lines(yes="大")])
    screen = TextIOWrapper(BytesIO(), "cp1252")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(
        sys, "argv", ["gradwright", "fit", str(path), "--target", "kind", "--out", str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert b"always '?'" in screen.buffer.getvalue()


PLAIN = "\n".join([HEADER, *lines()])
CONTENTS = {
    "plain": PLAIN, "short header": PLAIN.replace(HEADER, "size,price"),
    "long header": PLAIN.replace(HEADER, HEADER + ",x"), "duplicate": PLAIN.replace(HEADER, "size,size,kind"),
    "empty name": PLAIN.replace(HEADER, ",price,kind"),
    "bom": "\ufeff" + PLAIN, "quoted newline": PLAIN.replace(HEADER, '"si\nze",price,kind'), "no header": PLAIN[16:],
    "utf-16": PLAIN.encode("utf-16"), "latin-1": (PLAIN + "\n1,2,nö").encode("latin-1"), "nul": PLAIN + "\n1,2,\0",
    "colons": PLAIN.replace(",", ":"), "spaces": PLAIN.replace(",", " "), "two separators": PLAIN.replace(",", ";", 40),
    "one row": HEADER + "\n1,2,yes", "two rows": HEADER + "\n1,2,yes\n2,3,no", "no rows": HEADER, "nothing": "",
    "three rows": HEADER + "\n1,2,yes\n2,3,no\n4,5,yes", "four rows": HEADER + "\n1,2,yes\n2,3,no" * 2,
    "one column": "kind\nyes\nno", "line ends": "\n" * 9, "only missing": HEADER + "\n,," * 9, "commas": ",,,\n" * 9,
    "one class": PLAIN.replace("yes", "no"), "quote": '"', "quotes": '"""\n' * 9,
    "text": "Dear all,\nthis is\na letter", "random": np.random.default_rng(0).bytes(4000),
    "html": "<html>\n<td>size</td>,<td>kind</td>\n</html>",
    "json": '[{"size": 1, "kind": "a"}, {"size": 2, "kind": "b"}]', "zip": b"PK\x03\x04" + bytes(99),
    "gzip cut": b"\x1f\x8b\x08\x00", "parquet cut": b"PAR1" + bytes(99), "xz cut": b"\xfd7zXZ\x00",
    "bzip2 cut": b"BZh9", "zstd cut": b"\x28\xb5\x2f\xfd\x00", "escape": PLAIN.replace("price", "\x1b[31mprice"),
    "long name": PLAIN.replace("price", "p" * 5000), "markup": PLAIN.replace("yes", "[bold]<b>&amp;"),
    "emoji": PLAIN.replace("yes", "🙂"), "huge": PLAIN + "\n1e308,1,yes",
    "formula": PLAIN.replace("price", "=cmd()!A0"),
}  # fmt: skip
"""Files that somebody may give."""


NUMBERS = ["plain", "one row", "two rows", "three rows", "four rows", "one class", "markup", "huge"]
"""Those whose rows are read, with a target of numbers too."""


@pytest.mark.parametrize(
    ("name", "target"), [*((name, "kind") for name in CONTENTS), *((name, "price") for name in NUMBERS)]
)
def test_every_file_gives_a_model_or_an_error_of_our_own(tmp_path, monkeypatch, capsys, name, target):
    path = file(tmp_path, CONTENTS[name])
    monkeypatch.setattr(
        sys, "argv", ["gradwright", "fit", str(path), "--target", target, "--out", str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as end:
        main()
    out, error = capsys.readouterr()
    written = sorted(place.name for place in (tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []
    assert "Traceback" not in error
    assert "\x1b" not in out + error
    if end.value.code == 0:
        assert len(written) == 2
        assert "page:" in out
    else:
        assert end.value.code == 2
        assert written == []
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert len(error) < 700
        # words of our own, not of the libraries below
        assert not any(word in error for word in ("pandas", "tokeniz", "codec", "Traceback", "sklearn", "estimator"))
