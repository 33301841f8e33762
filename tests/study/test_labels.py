"""Whatever a user calls things: files hold it, pages show it, and nothing runs it."""

import csv
import io
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from gradwright.study import Metric, compare, from_csv, from_json, save, show, to_json
from gradwright.study.record.store import FORMAT
from gradwright.study.record.study import Study
from gradwright.study.record.tables import curves_csv, runs_csv
from gradwright.study.report.page import html
from gradwright.study.tasks.labels import one_line

from .conftest import line_task, sgd

NUMBERS = ("nan", "inf", "-inf", "null", "None", "1e3", "1")
FORMULAS = ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "=cmd|'/c calc'!A0", "＝1", "'quoted", "''twice", "'=1")
BREAKS = ("a\nb", "a\r\nb", "a\rb", "a\tb", "a\u2028b")
MARKUP = (
    "<b>&\"'</b>", '"><script>alert(1)</script>', "$x^2$", r"$\frac$", r"\1", r"\g<0>", "[red]x[/red]", "[/]", "`code`",
    "{{ 1 }}", "{x}", "%s", "#010101", "xlink:href", "font: 12px a", "a,b;c", "é ü 漢字 😀", "x" * 300, "<!-- a --> b",
)  # fmt: skip
ODD = (*NUMBERS, *FORMULAS, *BREAKS, *MARKUP)


@pytest.fixture(scope="module")
def base():
    return compare(line_task(), {"a": sgd(0.2), "b": sgd(0.02)}, seeds=1, steps=5, progress=False, evaluations=1)


def named(base, labels, **texts):
    """The study with these labels, each on a copy of the first run."""
    runs = tuple(replace(base.runs[0], optimizer=label, contender=label, **texts) for label in labels)
    return replace(base, runs=runs, settings={**base.settings, "contenders": labels, "optimizers": labels})


ROUND_TRIP = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(label=ROUND_TRIP | st.sampled_from(ODD), number=st.floats())
@example(label="nan", number=float("nan"))
@example(label="-inf", number=float("-inf"))
@example(label="'\r", number=0.0)
def test_every_label_and_number_comes_back(base, label, number):
    study = named(base, [label], reason=label, loss=label, lr_source=label, total_seconds=number)
    again = from_json(to_json(study))
    assert isinstance(again, Study)
    assert to_json(again) == to_json(study)
    assert again.contenders == [label]
    run = again.runs[0]
    assert [run.optimizer, run.contender, run.reason, run.loss, run.lr_source] == [label] * 5
    assert repr(run.total_seconds) == repr(number)
    (row,) = from_csv(runs_csv(study))
    assert [row[name] for name in ("optimizer", "reason", "loss", "lr_source")] == [label] * 4
    assert repr(row["total_seconds"]) == repr(number)
    assert row["final_mse"] == run.final("mse")
    for row in from_csv(curves_csv(study)):
        assert (row["optimizer"], row["loss"]) == (label, label)
        assert row["value"] == (
            run.points[row["step"] // 5].train_loss if row["metric"] == "train_loss" else row["value"]
        )


@pytest.mark.parametrize("label", ODD)
def test_no_spreadsheet_runs_a_label(base, label):
    study = named(base, [label], reason=label)
    for table in (runs_csv(study), curves_csv(study)):
        for row in csv.reader(io.StringIO(table, newline="")):
            for name, cell in zip(table.split("\n")[0].split(","), row):
                runs = cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
                assert not runs or name in ("lr", "value", "final_mse") or cell.startswith("-inf"), (name, cell)
                assert not runs or isinstance(float(cell), float)


def test_numbers_may_be_negative(base):
    run = replace(base.runs[0], total_seconds=-1.5)
    assert from_csv(runs_csv(replace(base, runs=(run,))))[0]["total_seconds"] == -1.5
    assert ",-1.5" in runs_csv(replace(base, runs=(run,)))


class Seen(HTMLParser):
    """The tags of a page, and what a reader sees of it."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.labels = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.labels += [value for key, value in attributes if key == "aria-label"]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def plain_tags(base):
    return count_tags(html(named(base, ["plain"])))


def count_tags(page):
    seen = Seen()
    seen.feed(page)
    return {tag: seen.tags.count(tag) for tag in ("script", "b", "svg", "img", "style", "main", "section")}


def test_a_page_of_odd_names_shows_them_and_runs_none(base, plain_tags):
    labels = list(ODD)
    page = html(named(base, labels))
    assert count_tags(page) == plain_tags
    seen = Seen()
    seen.feed(page)
    words = {one_line(text) for text in seen.texts}
    assert {one_line(label) for label in labels} - words == {"`code`"} - words
    assert {one_line(label, 40) for label in labels if label != "`code`"} <= words  # in the pictures


def test_names_in_pictures_are_as_they_were_given(base, plain_tags):
    """Few enough that each has a colour, and its name at the end of its line."""
    labels = ['"><script>', r"$\frac$ <x> #030303", r"\1", "#010101 xlink:href", "font: 12px a", "a\nb", "$x^2$"]
    page = html(named(base, labels))
    assert count_tags(page) == plain_tags
    for picture in re.findall(r"<svg.*?</svg>", page, flags=re.S)[:2]:
        seen = Seen()
        seen.feed(picture)
        assert {one_line(label) for label in labels} <= {one_line(text) for text in seen.texts}
        assert "mathdefault" not in picture


def test_names_of_tasks_and_metrics_are_escaped_in_what_a_reader_hears(plain_tags):
    odd = '"><script>alert(1)</script> \\1 $\\frac$'
    task = line_task(name=odd, metrics=(Metric("mse", odd),))
    study = compare(task, {"a": sgd(0.2), "b": sgd(0.02)}, seeds=1, steps=5, progress=False, lr_grid=[0.1, 0.2])
    page = html(study)
    one_more = {tag: plain_tags[tag] + 1 for tag in ("svg", "style")}
    assert count_tags(page) == {**plain_tags, **one_more}
    seen = Seen()
    seen.feed(page)
    assert any(odd in label for label in seen.labels)


def test_the_terminal_shows_names_as_they_are(base):
    console = Console(width=400, record=True, file=io.StringIO())
    show(named(base, list(ODD)), console)
    shown = console.export_text()
    for label in ("[red]x[/red]", "[/]", "a b", "$x^2$"):
        assert label in shown


@pytest.mark.parametrize(
    ("label", "words"),
    [(" ", "nothing can be seen"), ("", "nothing can be seen"), ("a\0b", r"holds '\\x00'"), ("\x1b[31m", r"\\x1b"),
     ("\udc80", r"holds '\\udc80'")],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_before_any_training(label, words):
    with pytest.raises(ValueError, match=f"an optimizer.*{words}"):
        compare(line_task(log=(log := [])), {label: sgd()}, progress=False)
    with pytest.raises(ValueError, match=f"a task.*{words}"):
        compare(line_task(label, log=log), {"a": sgd()}, progress=False)
    with pytest.raises(ValueError, match=f"a metric.*{words}"):
        compare(line_task(metrics=(Metric("mse", label),), log=log), {"a": sgd()}, progress=False)
    with pytest.raises(ValueError, match=f"a loss.*{words}"):
        compare("digits-mlp", "torch:SGD", losses={label: "ce"}, progress=False)
    assert log == []


def test_the_words_of_an_error_are_shown_in_one_line(tmp_path):
    def refuse(model):
        raise ValueError("half \udc80 and\n nothing \0")

    study = compare(line_task(), {"it": refuse, "a": sgd()}, seeds=1, progress=False, out=tmp_path)
    assert study.runs[0].reason == r"ValueError: half \udc80 and nothing \x00"
    assert len(study.files) == 4


def test_other_texts_are_not_a_study():
    for text in ("[]", "3", "{}", f'{{"format": {FORMAT + 1}}}'):
        with pytest.raises(ValueError, match="another format"):
            from_json(text)
    for text in (
        '{"format": 1}',
        '{"format": 1, "tasks": [3], "runs": []}',
        '{"format": 1, "tasks": [], "runs": [{}]}',
    ):
        with pytest.raises(ValueError, match="not whole"):
            from_json(text)


def test_numbers_of_other_libraries_are_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules[save.__module__].FILES, "index.html", lambda study: "")
    study = compare(
        line_task(), {"a": sgd()}, seeds=numpy.arange(2), lr=numpy.float32(0.1), steps=numpy.int64(3),
        evaluations=torch.tensor(1), threads=numpy.int64(1), out=tmp_path, progress=False,
    )  # fmt: skip
    assert from_json((tmp_path / "results.json").read_text()).settings["seeds"] == [0, 1]
    assert len(study.files) == 4
