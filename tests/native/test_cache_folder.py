"""Where compiled code is kept: paths as people write them, and what killed processes left."""

import os
import time
from pathlib import Path

import pytest

from gradwright.native import build, cache

from .conftest import SOMEBODY, answer, as_root, kernels

pytestmark = pytest.mark.usefixtures("compiler")


def test_a_relative_path_means_the_folder_it_meant_first(folder, tmp_path, fresh, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADWRIGHT_CACHE", "a relative/cache")
    assert answer(1) == 1
    monkeypatch.chdir(tmp_path / "elsewhere")
    fresh()
    monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
    assert answer(1) == 1
    assert kernels(tmp_path / "a relative" / "cache")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_user_without_a_home(folder, substitute, monkeypatch, warned):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("GRADWRIGHT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert answer(2) == 2
    assert kernels(substitute)
    assert not warned()


def test_one_warning_for_many_kernels(folder, tmp_path, monkeypatch, warned):
    folder.mkdir()
    folder.chmod(0o777)
    for number in range(3, 6):
        assert answer(number) == number
    assert len(warned()) == 1


def test_what_killed_processes_left_is_swept(folder, fresh):
    folder.mkdir(mode=0o700)
    old = time.time() - 2 * cache.ABANDONED
    left, young = (folder / f"{cache.UNFINISHED}{name}" for name in ("left", "young"))
    other = folder / "kept by its user"
    for one in (left, young, other):
        one.mkdir(mode=0o700)
        (one / "kernel.cpp").write_text("half")
    for one in (left, other):
        os.utime(one, (old, old))
    assert answer(7) == 7
    assert not left.exists()
    assert young.exists()
    assert other.exists()


@as_root
def test_what_somebody_else_left_is_not_swept(folder, tmp_path):
    folder.mkdir(mode=0o700)
    old = time.time() - 2 * cache.ABANDONED
    foreign, link = folder / f"{cache.UNFINISHED}foreign", folder / f"{cache.UNFINISHED}link"
    (tmp_path / "precious").mkdir()
    foreign.mkdir()
    link.symlink_to(tmp_path / "precious")
    for one in (foreign, link):
        os.utime(one, (old, old), follow_symlinks=False)
    os.chown(foreign, SOMEBODY, SOMEBODY)
    assert answer(8) == 8
    assert foreign.exists()
    assert (tmp_path / "precious").exists()


def test_a_compilation_leaves_nothing_behind(folder, fresh):
    assert answer(9) == 9
    assert not list(folder.glob(f"{cache.UNFINISHED}*"))


def test_a_folder_in_the_place_of_a_kernel(folder, substitute, fresh):
    assert answer(10) == 10
    (kept,) = kernels(folder)
    kept.unlink()
    kept.mkdir()
    fresh()
    with pytest.warns(UserWarning, match="not kept in .*[Dd]irectory"):
        assert answer(10) == 10
    assert kernels(substitute)
