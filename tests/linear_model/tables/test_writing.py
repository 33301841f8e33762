"""Writing: the model and the page are both of this fit, or both as they were; nothing else is left in the folder."""

import errno
import os
import resource
from contextlib import contextmanager

import joblib
import pytest

from gradwright.linear_model.fit_table import write
from tests.linear_model.tables.made import HEADER, file, fit, lines, numbers

pytest.importorskip("pandas")


@pytest.fixture
def fitted(tmp_path):
    """A file whose fit has been written once, and everything in its folder."""
    path = file(tmp_path, [HEADER, *lines()])
    fit(path)
    return path, contents(tmp_path / "out")


def contents(folder):
    return {place.name: place.read_bytes() for place in folder.iterdir() if place.is_file()}


@contextmanager
def files_of_at_most(size):
    """The system refuses longer files, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, 6000], ids=["no-model", "no-page"])
def test_a_disk_that_is_full_leaves_the_earlier_fit(fitted, size):
    path, before = fitted
    with files_of_at_most(size), pytest.raises(ValueError, match=r"nothing can be written to --out .*unchanged"):
        fit(path, C=0.01)
    assert contents(path.parent / "out") == before
    with files_of_at_most(size), pytest.raises(ValueError, match=r"nothing can be written to --out"):
        fit(path, out=path.parent / "new" / "folder")
    assert not (path.parent / "new").exists()


def test_the_sizes_above_are_between_those_of_the_files(fitted):
    sizes = {name: len(content) for name, content in fitted[1].items()}
    assert 10 < sizes.pop(next(name for name in sizes if name.startswith("model"))) < 6000 < sizes.pop("index.html")
    assert not sizes


@pytest.mark.parametrize("place", [1, 2])
def test_a_failure_at_any_move_brings_back_what_was_there(fitted, monkeypatch, place):
    path, before = fitted
    moves, real = [], os.replace

    def replace(source, target):
        moves.append(target)
        if len(moves) == place:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target)

    monkeypatch.setattr(write.os, "replace", replace)
    with pytest.raises(ValueError, match="Input/output error; what is there is unchanged"):
        fit(path, C=0.01)
    assert contents(path.parent / "out") == before


def test_a_stop_while_writing_leaves_the_earlier_fit(fitted, monkeypatch):
    path, before = fitted

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(joblib, "dump", stop)
    monkeypatch.setattr("gradwright.linear_model.fit_table.save.find_spec", lambda name: None)
    with pytest.raises(KeyboardInterrupt):
        fit(path, C=0.01)
    assert contents(path.parent / "out") == before


def test_a_fit_that_is_refused_writes_nothing(tmp_path):
    path = file(tmp_path, [HEADER, *lines(), "1,2"])
    with pytest.raises(ValueError, match="line 42"):
        fit(path)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["data.csv"]


def test_what_is_in_the_way_is_named_before_the_fit(tmp_path, monkeypatch):
    path = file(tmp_path, numbers())
    monkeypatch.setattr(
        "gradwright.linear_model.fit_table.table.read", lambda *args: pytest.fail("read before the check")
    )
    (tmp_path / "a file").write_text("here")
    for out in (tmp_path / "a file", tmp_path / "a file" / "below", "/dev/full", "/dev/null"):
        with pytest.raises(ValueError, match=r"nothing can be written to --out .* is not a folder"):
            fit(path, "count", out=out)
    for name in ("index.html", "model.joblib", "model.skops"):
        (tmp_path / name / "out" / name).mkdir(parents=True)
    for name in ("index.html", "model.joblib"):
        monkeypatch.setattr("gradwright.linear_model.fit_table.save.find_spec", lambda name: None)
        with pytest.raises(ValueError, match=f"nothing can be written to --out .*{name}' is a folder"):
            fit(path, "count", out=tmp_path / name / "out")
    assert (tmp_path / "a file").read_text() == "here"


def test_a_folder_that_may_not_be_written_to_is_named_before_the_fit(tmp_path, monkeypatch):
    path = file(tmp_path, numbers())

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # whoever runs the tests may write everywhere
    monkeypatch.setattr(write.tempfile, "TemporaryFile", refuse)
    for out in (tmp_path, tmp_path / "new" / "folder"):
        with pytest.raises(ValueError, match=r"nothing can be written to --out .*Permission denied"):
            fit(path, "count", out=out)
    assert not (tmp_path / "new").exists()


def test_a_link_stays_a_link_and_files_are_as_open_as_others(tmp_path):
    path = file(tmp_path, numbers())
    (tmp_path / "out").mkdir()
    (tmp_path / "page.html").write_text("old")
    (tmp_path / "out" / "index.html").symlink_to(tmp_path / "page.html")
    fit(path, "count")
    assert (tmp_path / "out" / "index.html").is_symlink()
    assert "<svg" in (tmp_path / "page.html").read_text(encoding="utf-8")
    other = file(tmp_path, "", "other")
    assert {place.stat().st_mode for place in (tmp_path / "out").iterdir()} == {other.stat().st_mode}
