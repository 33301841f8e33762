"""The cache of kernels: one folder for many processes, which heals itself and never stands in the way."""

import ctypes
import multiprocessing
import os
import tempfile

import pytest

from gradwright.native import build

pytestmark = pytest.mark.usefixtures("compiler")

SOURCE = 'extern "C" int answer() {{ return {}; }}\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder for this test alone, and no kernel loaded yet."""
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "_loaded", {})
    return tmp_path / "cache"


def answer(number):
    return build.load(SOURCE.format(number)).answer()


def forget(monkeypatch):
    monkeypatch.setattr(build, "_loaded", {})


def files(folder):
    """The kernels in it."""
    return sorted(folder.rglob("*.so"))


def test_a_kernel_is_compiled_once(folder, monkeypatch):
    assert answer(42) == 42
    (kept,) = files(folder)
    written = kept.stat().st_mtime_ns
    forget(monkeypatch)
    monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
    assert answer(42) == 42
    assert kept.stat().st_mtime_ns == written


def test_the_key_holds_what_the_code_depends_on(folder, monkeypatch):
    assert answer(1) == 1
    assert len(files(folder)) == 1
    for name, value in (("FLAGS", (*build.FLAGS, "-DX")), ("_machine", lambda: "another"), ("compiler", None)):
        path, _ = build.compiler()
        forget(monkeypatch)
        with monkeypatch.context() as patch:
            patch.setattr(build, name, value if value is not None else lambda path=path: (path, "g++ 99"))
            assert answer(1) == 1
    assert len(files(folder)) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"not a library",
        lambda whole: bytes(len(whole)),
        lambda whole: whole[:100],
        lambda whole: whole[: len(whole) // 3],
        lambda whole: whole[: len(whole) * 2 // 3],
        lambda whole: whole[:-100],
    ],
    ids=["empty", "text", "zeros", "a header", "a third", "two thirds", "without its end"],
)
def test_a_damaged_entry_is_rebuilt(folder, damage):
    """In processes of their own, where nothing is loaded yet, and where a loader that trusts the file may crash."""
    assert in_a_child(_answers_eight) == 0
    (kept,) = files(folder)
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert in_a_child(_answers_eight) == 0
    assert len(kept.read_bytes()) == len(whole)


def _answers_eight():
    assert answer(8) == 8


def in_a_child(function, *arguments):
    child = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    child.start()
    child.join(60)
    return child.exitcode


def test_several_processes_compile_at_once(folder):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    children = [context.Process(target=_answers_at_once, args=(barrier,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert len(files(folder)) == 1


def _answers_at_once(barrier):
    barrier.wait(30)
    for _ in range(3):
        build._loaded.clear()
        assert answer(9) == 9


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    forget(monkeypatch)
    assert answer(11) == 11
    assert files(tmp_path / "temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    forget(monkeypatch)
    with pytest.raises(build.NoCompiler, match="GRADWRIGHT_CACHE"):
        answer(12)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_belongs_to_somebody_else_is_not_trusted(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    planted = tmp_path / f"gradwright-{os.getuid()}"
    planted.mkdir()
    os.chown(planted, 12345, 12345)
    forget(monkeypatch)
    with pytest.raises(build.NoCompiler):
        answer(13)
    assert not files(planted)


def test_where_kernels_are_kept(monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_CACHE", "/somewhere/of/mine")
    assert str(build.cache_folder()) == "/somewhere/of/mine"
    monkeypatch.delenv("GRADWRIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert str(build.cache_folder()) == "/caches/gradwright"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(build.cache_folder()) == "/home/me/.cache/gradwright"


def test_a_source_that_does_not_compile_leaves_nothing(folder):
    with pytest.raises(build.NoCompiler, match="could not compile"):
        build.load("this is no C++")
    assert not files(folder)


def test_flags_that_change_what_numbers_mean_are_not_used():
    assert not {"-ffast-math", "-Ofast", "-ffinite-math-only", "-funsafe-math-optimizations"} & set(build.FLAGS)
    assert "-ffp-contract=off" in build.FLAGS


def test_a_kernel_is_loaded_with_its_own_names_only(folder):
    one, two = build.load(SOURCE.format(1)), build.load(SOURCE.format(2))
    assert (one.answer(), two.answer()) == (1, 2)
    assert isinstance(one, ctypes.CDLL)
