"""The measuring of optimizers at settings that nobody tuned: stored run by run, resumed, summed up in tables."""

import json
import sys
from pathlib import Path

import pytest

from gradwright.study import compare
from gradwright.study.references import Cell, Reference, table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASK, SHORT = "digits-shallow", "steps=0.01"
CHANGED = f"{TASK}[{SHORT}]"


@pytest.fixture
def untuned(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import untuned.document
    import untuned.measure
    import untuned.store
    import untuned.tables

    yield untuned
    for name in [name for name in sys.modules if name.partition(".")[0] == "untuned"]:
        del sys.modules[name]


def filled(untuned, folder, optimizers=("torch:SGD",), seeds=(0, 1), **changes):
    wanted = untuned.measure.keys([TASK], optimizers, seeds, [SHORT], **changes)
    return list(untuned.measure.measure(folder, wanted))


def test_a_run_is_stored_as_compare_has_it_and_not_run_again(untuned, tmp_path):
    made = filled(untuned, tmp_path)
    assert len(made) == 2
    assert filled(untuned, tmp_path) == []
    study = compare(TASK, "torch:SGD", nuisance=SHORT, seeds=2, evaluations=1, threads=1, progress=False)
    stored = untuned.store.load(tmp_path, TASK)
    for run, record in zip(stored.runs.values(), study.runs):
        assert run.outcome.end == pytest.approx(record.final("validation_nll"), rel=1e-7)
        assert (run.steps, run.curve[0][0], run.curve[-1][0]) == (3, 0, 3)
    assert stored.text() == (tmp_path / f"{TASK}.json").read_text()


def test_what_is_missing_is_added_and_what_has_changed_is_replaced(untuned, tmp_path):
    filled(untuned, tmp_path, seeds=(0,))
    assert [run.key.seed for run in filled(untuned, tmp_path)] == [1]
    path = tmp_path / f"{TASK}.json"
    other = json.loads(path.read_text())
    for run in other["runs"][:1]:
        other["settings"]["00000000"] = other["settings"][run["settings"]].replace("lr=0.001", "lr=0.5")
        run["settings"] = "00000000"
    path.write_text(json.dumps(other))
    assert untuned.tables.unlike(untuned.store.load_all(tmp_path)) == {"torch:SGD"}
    assert [run.key.seed for run in filled(untuned, tmp_path)] == [0]
    assert untuned.tables.unlike(untuned.store.load_all(tmp_path)) == set()


def test_a_factor_multiplies_the_own_learning_rate(untuned, tmp_path):
    filled(untuned, tmp_path, seeds=(0,), factors=(10.0,))
    (run,) = untuned.store.load(tmp_path, TASK).runs.values()
    study = compare(TASK, "torch:SGD", nuisance=SHORT, lr=1e-2, seeds=1, threads=1, progress=False)
    assert run.outcome.end == pytest.approx(study.runs[0].final("validation_nll"), rel=1e-7)


def test_settings_tell_the_code_of_a_part_from_its_comments(untuned, monkeypatch):
    from untuned import settings

    sources = iter(['"""a"""\nx = 1  # one\n', '"""b"""\nx = 1\n', '"""a"""\nx = 2\n'])
    monkeypatch.setattr(settings.inspect, "getsource", lambda module: next(sources))
    one, same, other = (settings._code("json") for _ in range(3))
    assert one == same != other


def test_tables_say_what_the_stored_runs_say(untuned, monkeypatch, tmp_path):
    against = Reference(CHANGED, 3, 2.4, (Cell(0.1, "constant", (2.0,)),), (2.0,), {}, {})
    monkeypatch.setattr(table, "_stored", lambda: {CHANGED: against})
    filled(untuned, tmp_path, optimizers=("torch:SGD", "torch:AdamW"))
    files = untuned.store.load_all(tmp_path)
    (shown,) = untuned.tables.tables(files)
    assert shown.title.startswith("Regret, horizons: tasks like those")
    ends = [run.outcome.end for run in files[0].runs.values() if run.key.optimizer == "torch:AdamW"]
    row = next(row for row in shown.rows if "torch:AdamW" in row[0])
    assert row[1] == untuned.tables.percent(sum(map(against.regret, ends)) / 2)
    assert row[-2:] == ("1", "2")


def test_the_page_keeps_what_is_not_between_the_marks(untuned):
    page = "before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n"
    assert untuned.document.between_marks(page, "a", "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no place for 'b'"):
        untuned.document.between_marks(page, "b", "new\n")


def test_the_tables_of_the_documentation_are_those_of_the_stored_results(untuned):
    for path, text in untuned.document.pages():
        assert path.read_text() == text, f"{path.name}: python benchmarks/no_tuning.py document"
