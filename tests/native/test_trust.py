"""What somebody else may have written is not run: folders, what lies above them, links, and files."""

import os
import stat
from pathlib import Path

import pytest

from gradwright.engine.triton import launch
from gradwright.native import build, cache, trust

from .conftest import SOMEBODY, SOURCE, answer, as_root, kernels

pytestmark = pytest.mark.usefixtures("compiler")


def given_away(path):
    os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)


def opened(path):
    path.chmod(0o777)


def open_to_the_group(path):
    path.chmod(0o770)


FAULTS = [
    pytest.param(given_away, f"belongs to user {SOMEBODY}", marks=as_root, id="somebody else's"),
    pytest.param(opened, r"may be written by others \(mode 777\)", id="open to all"),
    pytest.param(open_to_the_group, r"may be written by others \(mode 770\)", id="open to the group"),
]


@pytest.mark.parametrize(("spoil", "why"), FAULTS)
def test_a_folder_that_others_can_write_is_not_used(spoil, why, folder, substitute):
    folder.mkdir()
    spoil(folder)
    with pytest.warns(UserWarning, match=f"{why}.*GRADWRIGHT_CACHE"):
        assert answer(1) == 1
    assert not kernels(folder)
    assert kernels(substitute)


@pytest.mark.parametrize(("spoil", "why"), FAULTS)
def test_a_planted_kernel_is_not_run_though_its_digest_is_right(spoil, why, folder, fresh, warned):
    assert answer(2) == 2
    (kept,) = kernels(folder)
    kept.unlink()  # the file itself is loaded
    build._compile(SOURCE.format(666), kept, build.compiler()[0])
    spoil(kept)
    fresh()
    assert answer(2) == 2
    assert len(warned()) == 1
    assert kept.stat().st_uid == os.geteuid()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


@pytest.mark.parametrize(("spoil", "why"), FAULTS)
def test_a_digest_that_others_can_write_proves_nothing(spoil, why, folder, fresh, warned):
    assert answer(3) == 3
    (kept,) = kernels(folder)
    spoil(kept.with_suffix(".sha256"))
    fresh()
    assert answer(3) == 3
    assert any("made anew" in message for message in warned())


def test_a_link_in_the_place_of_a_kernel_is_not_followed(folder, fresh, tmp_path):
    assert answer(4) == 4
    (kept,) = kernels(folder)
    elsewhere = tmp_path / "elsewhere.so"
    kept.rename(elsewhere)
    kept.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    fresh()
    with pytest.warns(UserWarning, match="is a link"):
        assert answer(4) == 4
    assert not kept.is_symlink()
    assert elsewhere.read_bytes() == before


def test_a_pipe_in_the_place_of_a_kernel_is_not_waited_for(folder, fresh):
    assert answer(5) == 5
    (kept,) = kernels(folder)
    kept.unlink()
    os.mkfifo(kept)
    fresh()
    with pytest.warns(UserWarning, match="no plain file"):
        assert answer(5) == 5


@as_root
def test_a_link_of_somebody_else_on_the_way_to_the_cache(tmp_path, folder, substitute, monkeypatch):
    (tmp_path / "mine").mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "mine")
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(link / "cache"))
    assert answer(6) == 6
    assert kernels(tmp_path / "mine")  # one's own link leads where it leads
    given_away(link)
    with pytest.warns(UserWarning, match=f"is a link that belongs to user {SOMEBODY}"):
        assert answer(7) == 7
    assert kernels(substitute)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(given_away, f"belongs to user {SOMEBODY}", marks=as_root, id="somebody else's"),
        pytest.param(opened, r"others may write the folder .* above it \(mode 777\)", id="open to all"),
    ],
)
def test_a_folder_above_the_cache_that_others_can_write(spoil, why, tmp_path, folder, substitute, monkeypatch):
    above = tmp_path / "above"
    (above / "cache").mkdir(mode=0o700, parents=True)
    spoil(above)
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(above / "cache"))
    with pytest.warns(UserWarning, match=why):
        assert answer(8) == 8
    assert not kernels(above)
    assert kernels(substitute)


def test_a_sticky_folder_above_is_as_good_as_ones_own(tmp_path, folder, monkeypatch, warned):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(shared / "cache"))
    assert answer(9) == 9
    assert kernels(shared)
    assert not warned()


def test_a_private_group_is_nobody_else(tmp_path, folder, monkeypatch):
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(0o770)
    monkeypatch.setattr(trust, "_is_alone_in", lambda group: True)
    trust.check_folder(above / "cache")
    monkeypatch.setattr(trust, "_is_alone_in", lambda group: False)
    with pytest.raises(trust.Distrusted, match="others may write"):
        trust.check_folder(above / "cache")


def test_a_group_with_others_in_it_is_no_private_one(monkeypatch):
    import grp
    import pwd

    me = pwd.getpwuid(os.geteuid())
    entry = grp.getgrgid(me.pw_gid)
    shared = grp.struct_group((me.pw_name, "x", me.pw_gid, ["somebody"]))
    monkeypatch.setattr(grp, "getgrgid", lambda group: shared)
    assert not trust._is_alone_in(me.pw_gid)
    private = grp.struct_group((me.pw_name, "x", me.pw_gid, [me.pw_name]))
    monkeypatch.setattr(grp, "getgrgid", lambda group: private)
    assert trust._is_alone_in(entry.gr_gid)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o077, 0o777])
def test_folders_and_files_are_made_for_the_user_alone(mask, folder, substitute, tmp_path, fresh, monkeypatch, warned):
    nested = tmp_path / "not" / "there" / "yet"
    before = os.umask(mask)
    try:
        for chosen in (str(nested), str(tmp_path / "cache" / "file" / "in the way")):
            fresh()
            monkeypatch.setenv("GRADWRIGHT_CACHE", chosen)
            (tmp_path / "cache").write_text("") if "way" in chosen else None
            assert answer(10) == 10
    finally:
        os.umask(before)
    for made in (nested, nested.parent, nested.parent.parent, substitute):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    for file in (*nested.iterdir(), *substitute.iterdir()):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077
    assert len(warned()) == 1


@as_root
@pytest.mark.parametrize("how", ["somebody else's", "a link"])
def test_a_temporary_folder_that_somebody_else_made_is_refused(how, folder, substitute, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRADWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    if how == "a link":
        (tmp_path / "mine").mkdir(mode=0o700)
        substitute.symlink_to(tmp_path / "mine")
    else:
        substitute.mkdir(mode=0o700)
    given_away(substitute)
    with pytest.raises(build.NoCompiler, match=f"no folder can keep.*Not a directory.*user {SOMEBODY}.*GRADWRIGHT_CA"):
        answer(11)
    assert not kernels(tmp_path)


@pytest.mark.parametrize(("spoil", "why"), FAULTS)
def test_a_planted_module_is_not_run(spoil, why, folder, monkeypatch, warned):
    monkeypatch.setattr(launch, "_loaded", {})
    path = Path(launch.load("answer = 6 * 7\n")["__file__"])
    assert path.parent == folder
    spoil(path)
    monkeypatch.setattr(launch, "_loaded", {})
    assert launch.load("answer = 6 * 7\n")["answer"] == 42
    assert path.stat().st_uid == os.geteuid()
    assert not stat.S_IMODE(path.stat().st_mode) & 0o077
    assert len(warned()) == 1


@pytest.mark.parametrize(("spoil", "why"), FAULTS)
def test_modules_are_not_kept_where_others_can_write(spoil, why, folder, substitute, monkeypatch):
    monkeypatch.setattr(launch, "_loaded", {})
    folder.mkdir()
    spoil(folder)
    with pytest.warns(UserWarning, match=why):
        path = Path(launch.load("answer = 6 * 7\n")["__file__"])
    assert path.parent == substitute


def test_modules_that_can_be_kept_nowhere(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_loaded", {})
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(cache, "folders", lambda: (tmp_path / "file" / "cache",))
    with pytest.raises(launch.NoTriton, match=r"no folder can keep.*Not a directory.*GRADWRIGHT_CACHE"):
        launch.load("answer = 6 * 7\n")
