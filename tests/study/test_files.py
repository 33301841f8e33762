"""Files of a comparison are written whole or not at all, and what is in the way is named before any training."""

import contextlib
import os
import resource
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gradwright.core.files import write
from gradwright.diffusion import DenoisingError, NoiseSchedule
from gradwright.study import compare, from_json, save
from gradwright.study.record.files import vacant
from gradwright.study.report.rates import picture

from .conftest import line_task, sgd
from .test_cli import SMALL, call

SAVING = sys.modules[save.__module__]
FILES = SAVING.FILES


@contextlib.contextmanager
def full_disk(room=1000):
    """No file may grow beyond so many bytes: writing more fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def study():
    return compare(line_task(), {"a": sgd(0.2)}, seeds=1, steps=5, progress=False)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_a_full_disk_leaves_what_was_there(study, name, tmp_path, monkeypatch):
    for each in FILES:
        (tmp_path / each).write_text(f"old {each}")
    monkeypatch.setattr(SAVING, "FILES", {name: lambda study: "new " * 1000})
    with full_disk(), pytest.raises(ValueError, match=rf"{name}' could not be written .*as it was before.*save\("):
        save(study, tmp_path)
    assert {each: (tmp_path / each).read_text() for each in FILES} == {each: f"old {each}" for each in FILES}
    assert names(tmp_path) == sorted(FILES)


def test_a_comparison_outlives_a_full_disk(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(FILES, "index.html", lambda study: "")
    with full_disk(), pytest.warns(UserWarning, match=r"results.json' could not be written.*The study is returned"):
        found = compare(line_task(), {"a": sgd(0.2)}, seeds=1, steps=5, progress=False, out=tmp_path)
    assert found.files == ()
    assert found.runs[0].status == "finished"
    assert names(tmp_path) == []
    assert from_json(save(found, tmp_path) and (tmp_path / "results.json").read_text()).runs == found.runs
    (tmp_path / "curves.csv").unlink()
    monkeypatch.setitem(FILES, "curves.csv", lambda study: (tmp_path / "curves.csv").mkdir() or "")
    with pytest.warns(UserWarning, match=r"curves.csv' could not be written"):
        code, out, _ = call(monkeypatch, capsys, "compare", *SMALL, "--out", str(tmp_path), "--overwrite")
    assert (code, "The report" in out, "torch:AdamW" in out) == (1, False, True)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_way_is_found_before_any_training(study, name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=rf"cannot be written: {name} in it is a folder.*Nothing was trained"):
        compare(line_task(log=(log := [])), {"a": sgd()}, progress=False, out=tmp_path)
    assert log == []
    with pytest.raises(ValueError, match=f"{name} in it is a folder"):
        save(study, tmp_path)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("out", ["", " ", "a\0b"])
def test_a_name_that_is_none_is_found_before_any_training(out):
    with pytest.raises(ValueError, match=r"cannot be written.*Nothing was trained"):
        compare(line_task(log=(log := [])), {"a": sgd()}, progress=False, out=out)
    assert log == []


def test_links_are_followed_and_permissions_kept(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", "new\r\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new\r\n"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600
    write(tmp_path / "fresh", b"bytes")
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) & 0o044 == 0o044 & ~os.umask(os.umask(0o022))
    write("/dev/null", "gone")
    assert not os.path.isfile("/dev/null")


def test_a_measured_error_outlives_a_full_disk(tmp_path):
    schedule = NoiseSchedule.linear(1000)
    error = DenoisingError(schedule, [1, 1000], [0.1, 0.2])
    error.save(tmp_path / "error.pt")
    with full_disk(), pytest.raises(OSError, match=r"."):
        DenoisingError(schedule, [1, 1000], [0.3, 0.4]).save(tmp_path / "error.pt")
    assert DenoisingError.load(tmp_path / "error.pt").estimate.tolist() == [0.1, 0.2]
    assert names(tmp_path) == ["error.pt"]


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_picture_of_a_search_outlives_a_full_disk(tmp_path, ending):
    pytest.importorskip("matplotlib")
    search = SimpleNamespace(
        rates=[1e-3, 1e-2], losses=[2.0, 1.0], smoothed=[2.0, 1.5], learned=True, suggestion=1e-3, lowest=1e-2,
        optimizer="AdamW", task="digits-mlp",
    )  # fmt: skip
    path = picture(search, tmp_path / f"lr.{ending}")
    before = path.read_bytes()
    assert before.startswith(b"<?xml" if ending == "svg" else b"\x89PNG")
    with full_disk(), pytest.raises(OSError, match=r"."):
        picture(search, path)
    assert path.read_bytes() == before
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("threads", [999_999, 2**40, 65 if (os.cpu_count() or 1) <= 16 else 10_000])
def test_more_threads_than_a_process_can_have_are_refused(threads, monkeypatch, capsys):
    with pytest.raises(ValueError, match=rf"threads={threads} must be at most \d+: this machine has"):
        compare(line_task(log=(log := [])), {"a": sgd()}, progress=False, threads=threads)
    assert log == []
    code, out, err = call(monkeypatch, capsys, "compare", *SMALL, "--threads", str(threads))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: threads={threads} must be at most")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"threads": 1.5}, "threads=1.5 is not a whole"), ({"seeds": 1.5}, "seeds=1.5"), ({"seeds": ["a"]}, "seeds='a'"),
     ({"seeds": 10**9}, "is more than"),
     ({"evaluations": "x"}, "evaluations='x'"), ({"first_seed": 0.5}, "first_seed=0.5")],
)  # fmt: skip
def test_counts_are_whole_numbers(options, words):
    with pytest.raises(ValueError, match=words):
        compare(line_task(), {"a": sgd()}, progress=False, **options)


def test_a_report_that_is_there_stays(tmp_path):
    def study(**options):
        return compare(line_task(), {"a": sgd()}, seeds=1, steps=2, progress=False, out=tmp_path / "kept", **options)

    first = study()
    before = {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    with pytest.warns(
        UserWarning, match=r"kept holds a report, which stays; this one goes to .*kept-2; overwrite=True"
    ):
        second = study()
    with pytest.warns(UserWarning, match="kept-3"):
        study()
    assert {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    assert {Path(path).parent.name for path in second.files} == {"kept-2"}
    over = study(overwrite=True)
    assert over.files == first.files
    assert (tmp_path / "kept" / "results.json").read_bytes() != before[tmp_path / "kept" / "results.json"]


def test_a_report_in_the_present_folder_stays_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").write_text("{}")
    assert vacant(".", "results.json") == Path("report-2")
    assert vacant("new", "results.json") == Path("new")
