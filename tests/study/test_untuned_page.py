"""The part of the report that sets untuned contenders beside a tuned AdamW."""

import re

import pytest

from gradwright.study import compare, tasks
from gradwright.study.references import Cell, Reference, table
from gradwright.study.report import page
from gradwright.study.report.figures import shades
from gradwright.study.report.untuned import TITLES, untuned

TASKS = ("digits-shallow", "digits-batch-4", "stdlib-gpt")


@pytest.fixture(scope="module")
def study():
    return compare(list(TASKS), "Surefoot,torch:AdamW", seeds=2, budget=3, evaluations=1, threads=1, progress=False)


@pytest.fixture
def known(monkeypatch, study):
    """References that Surefoot is 1 % of the way behind."""

    def of(note):
        runs = [run for run in study.runs if run.task == note.name and run.contender == "Surefoot"]
        end = sum(run.final(note.metric.name) for run in runs) / len(runs)
        start = sum(run.points[0].metrics[note.metric.name] for run in runs) / len(runs)
        best = start - (start - end) / 0.99
        return Reference(note.name, 3, start, (Cell(0.1, "constant", (best,)),), (best, best), dict(note.data), {})

    found = {note.name: of(note) for note in study.tasks}
    monkeypatch.setattr(table, "_stored", lambda: found)
    return found


def test_the_table_the_margins_and_the_language(study, known):
    found = untuned(study, shades(study))
    (column,) = found["columns"]
    assert (column["count"], column["names"], found["stale"]) == (3, list(TASKS), "")
    assert column["title"].startswith("Tasks like those on which settings")
    surefoot = next(row for row in column["rows"] if row["name"] == "Surefoot")
    assert surefoot["mean"] == "1.0 %"
    assert set(surefoot["cells"].values()) == {"1.0 %"}
    assert {row["name"] for row in column["margins"]} == {"Surefoot", "torch:AdamW"} - {column["best"]}
    assert {row["task"] for row in found["language"]} == {"stdlib-gpt"}
    behind = next(row for row in found["language"] if row["name"] == "Surefoot")
    assert behind["steps"] == "more than 1"
    against = known["stdlib-gpt"]
    assert float(behind["nats"]) == pytest.approx(0.01 * (against.start - against.best), abs=6e-4)


def test_the_page_shows_it_once_with_two_pictures(study, known):
    text = page.html(study)
    assert text.count("<h2>Beside a tuned AdamW</h2>") == 1
    section = text[text.index("Beside a tuned AdamW</h2>") :].split("</section>")[0]
    assert section.count("<svg") == 2
    assert "On language" in section
    names = re.findall(r"<text[^>]*>([^<]*)</text>", section)
    assert {"Surefoot", "torch:AdamW"} <= set(names)


def test_two_tasks_have_a_table_and_no_pictures(study, known, monkeypatch):
    del known["digits-batch-4"]
    (column,) = untuned(study, shades(study))["columns"]
    assert (column["count"], column["pictures"], column["margins"]) == (2, [], [])


def test_a_study_of_other_tasks_has_no_such_section(study, monkeypatch):
    monkeypatch.setattr(table, "_stored", dict)
    assert untuned(study, shades(study)) is None


def test_columns_of_tasks_stand_apart(study, known, monkeypatch):
    monkeypatch.setitem(tasks.COLUMNS, "suite", ("digits-shallow",))
    monkeypatch.setitem(tasks.COLUMNS, "suite-measured", ("digits-batch-4",))
    found = untuned(study, shades(study))["columns"]
    assert [column["title"] for column in found] == [TITLES["suite"], TITLES["suite-measured"], "Other tasks"]
    assert [column["names"] for column in found] == [[name] for name in TASKS]
    assert all(column["count"] == 1 for column in found)
    text = page.html(study)
    assert all(f"<h3>{column['title']}</h3>" in text for column in found)
