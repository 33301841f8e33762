"""Compilers that hang, lie, say nothing or have no room: a warning and the next way, never a crash."""

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gradwright import AdamW
from gradwright.engine import specialize
from gradwright.native import build, process

from .conftest import answer, kernels

pytestmark = pytest.mark.usefixtures("compiler", "folder")
SAYS = '[ "$1" = --version ] && echo fake 1.0 && exit 0\n'


def trained(engine):
    param = torch.ones(4, 3, requires_grad=True)
    optimizer = AdamW([param], lr=0.1, engine=engine)
    for _ in range(3):
        param.grad = torch.full((4, 3), 0.5)
        optimizer.step()
    return param.detach()


def test_a_compiler_that_hangs_is_stopped_with_its_children(fake, tmp_path, monkeypatch, warned):
    fake(SAYS + f"sleep 1000 & echo $! $$ >> {tmp_path}/pids\nwait\n")
    monkeypatch.setenv("GRADWRIGHT_COMPILE_SECONDS", "0.5")
    monkeypatch.delenv("GRADWRIGHT_ENGINE", raising=False)
    for kept in ("_made", "_known"):  # what other tests have compiled
        monkeypatch.setattr(specialize, kept, {})
    begin = time.monotonic()
    found = trained("auto")
    assert time.monotonic() - begin < 30
    assert torch.equal(found, trained("eager"))
    (message,) = warned()
    assert "0.5 seconds" in message
    assert "GRADWRIGHT_COMPILE_SECONDS" in message
    lines = (tmp_path / "pids").read_text().splitlines()
    assert len(lines) == 1  # one wait, not one for each kernel
    for pid in map(int, lines[0].split()):
        assert _has_ended(pid)


def _has_ended(pid):
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as facts:
                if facts.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_after_one_wait_only_what_is_kept_is_loaded(fake, fresh, monkeypatch):
    path = fake(SAYS + 'exec {real} "$@"\n')
    assert answer(1) == 1
    script = path.read_text()
    path.write_text(script.replace("exec", "sleep 1000; exec"))
    monkeypatch.setenv("GRADWRIGHT_COMPILE_SECONDS", "0.3")
    monkeypatch.setattr(build, "_loaded", {})
    for _ in range(2):
        with pytest.raises(build.NoCompiler, match="stopped"):
            answer(2)
    assert answer(1) == 1
    path.write_text(script)
    fresh()
    assert answer(2) == 2


def test_a_child_that_leaves_the_group_is_not_waited_for(monkeypatch):
    begin = time.monotonic()
    with pytest.raises(process.TooLong):
        process.run(["/bin/sh", "-c", "setsid sleep 5 & wait"], 0.3)
    assert time.monotonic() - begin < 4


def test_an_interrupt_stops_the_compiler(tmp_path):
    """As Ctrl-C does, which reaches this process alone."""
    script = (
        "import signal\nfrom gradwright.native import process\nsignal.alarm(1)\n"
        "def stop(*_): raise KeyboardInterrupt\nsignal.signal(signal.SIGALRM, stop)\n"
        f"process.run(['/bin/sh', '-c', 'echo $$ > {tmp_path}/pid; sleep 1000'], 100)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert b"KeyboardInterrupt" in done.stderr
    assert _has_ended(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan", "inf", "3600"])
def test_a_time_limit_that_is_none(given, monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_COMPILE_SECONDS", given)
    with pytest.raises(ValueError, match=f"GRADWRIGHT_COMPILE_SECONDS='{given}'"):
        answer(3)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("exit 0\n", "says nothing"),
        ('[ "$1" = --version ] && exit 3\nexec {real} "$@"\n', "fails with status 3"),
        ('[ "$1" = --version ] && echo "  " && exit 0\n', "says nothing"),
    ],
    ids=["nothing", "an error", "a blank line"],
)
def test_a_compiler_without_a_version_is_passed_over(script, fault, fake):
    path = fake(script)
    with pytest.warns(UserWarning, match=f"{fault} .*--version.*CXX"):
        assert build.compiler()[0] != str(path)
    assert answer(4) == 4


def test_a_compiler_that_cannot_be_started_is_passed_over(fake):
    path = fake("")
    path.write_bytes(b"\x7fELF not a program")
    with pytest.warns(UserWarning, match="cannot be started"):
        assert build.compiler()[0] != str(path)


def test_a_version_that_hangs_is_passed_over_and_not_waited_for_again(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_COMPILE_SECONDS", "0.3")
    fake(f"echo asked >> {tmp_path}/asked\n{shutil.which('sleep')} 1000\n")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.warns(UserWarning, match=r"not answered for 0\.3 seconds"), pytest.raises(build.NoCompiler):
        build.compiler()
    with pytest.raises(build.NoCompiler, match="install g"):
        build.compiler()
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_version_in_another_encoding(fake, warned):
    path = fake('[ "$1" = --version ] && printf "\xfcbersetzer 1.0\\n" && exit 0\nexec {real} "$@"\n')
    assert build.compiler()[0] == str(path)
    assert answer(5) == 5
    assert not warned()


def test_complaints_in_another_encoding(fake):
    fake(SAYS + 'printf "kann nicht \xfcbersetzen" >&2; exit 1\n')
    with pytest.raises(build.NoCompiler, match="kann nicht"):
        answer(6)


def test_kernels_that_fail_alike_are_warned_of_alike(fake):
    fake(SAYS + 'echo "$@: no" >&2; exit 1\n')
    said = set()
    for number in (7, 8):
        with pytest.raises(build.NoCompiler) as why:
            answer(number)
        said.add(str(why.value))
    assert len(said) == 1


def test_a_compiler_that_makes_nothing(fake):
    fake(SAYS + "exit 0\n")
    with pytest.raises(build.NoCompiler, match="made no library"):
        answer(9)


def test_a_library_that_cannot_be_loaded(fake, folder):
    fake(SAYS + "echo nonsense > kernel.so\n")
    with pytest.raises(build.NoCompiler, match=r"compiled but cannot be loaded.*(invalid ELF|too short)") as why:
        answer(10)
    assert "no folder" not in str(why.value)


def test_a_library_without_its_function(fake):
    real, _ = build.compiler()
    path = fake(SAYS + 'echo "int other() { return 1; }" > kernel.cpp\nexec {real} "$@"\n')
    with pytest.raises(build.NoCompiler, match="lacks the function 'answer'"):
        answer(11)
    path.write_text("#!/bin/sh\n" + f'exec {real} "$@"\n')
    with pytest.warns(UserWarning, match=r"compiled anew.*lacks the function 'answer'"):
        assert answer(11) == 11


def test_a_file_system_from_which_nothing_may_be_run(folder, substitute, monkeypatch):
    real = os.statvfs

    def noexec(path):
        facts = list(real(path))
        facts[8] |= os.ST_NOEXEC if os.fspath(path).startswith(str(folder)) else 0
        return os.statvfs_result(facts)

    monkeypatch.setattr(os, "statvfs", noexec)
    with pytest.warns(UserWarning, match=f"not kept in {folder}.*noexec"):
        assert answer(12) == 12
    assert not kernels(folder)
    assert kernels(substitute)


def test_a_full_disk(fake, folder, substitute):
    """The compiler's complaint, which the next folder answers."""
    fake(SAYS + f'case "$PWD" in {folder}/*) echo "No space left on device" >&2; exit 1;; esac\nexec {{real}} "$@"\n')
    with pytest.warns(UserWarning, match=f"not kept in {folder}.*no space left"):
        assert answer(13) == 13
    assert not list(folder.iterdir())
    assert kernels(substitute)


def test_a_disk_that_is_full_before_the_compiler_starts(folder, substitute, monkeypatch):
    write = Path.write_text

    def full(path, *arguments, **named):
        if folder in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *arguments, **named)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.warns(UserWarning, match=f"not kept in {folder}.*No space left"):
        assert answer(18) == 18
    assert not list(folder.iterdir())
    assert kernels(substitute)


def test_every_disk_is_full(fake):
    fake(SAYS + 'echo "No space left on device" >&2; exit 1\n')
    with pytest.raises(build.NoCompiler, match=r"no folder can keep compiled kernels.*no space left"):
        answer(14)


def test_the_compiler_leaves_its_temporary_files_where_it_works(fake, tmp_path, folder):
    fake(SAYS + f'echo "$TMPDIR" > {tmp_path}/where\nexec {{real}} "$@"\n')
    assert answer(15) == 15
    assert (tmp_path / "where").read_text().startswith(str(folder))


def test_a_compiler_by_a_relative_path(fake, tmp_path, monkeypatch):
    fake(SAYS + 'exec {real} "$@"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXX", "./fake-c++")
    assert answer(16) == 16
    assert build.compiler()[0] == str(tmp_path / "fake-c++")


def test_a_compiler_that_is_not_there_is_said_to_be_ignored(monkeypatch):
    monkeypatch.setenv("CXX", "ccache g++")
    with pytest.warns(UserWarning, match="CXX='ccache g\\+\\+'"):
        build.compiler()


def test_processes_that_compile_at_once_share_one_limit_each(fake, folder, monkeypatch):
    """Two wait for the same compiler; both give up, and neither takes the other's files away."""
    fake(SAYS + "sleep 1000\n")
    monkeypatch.setenv("GRADWRIGHT_COMPILE_SECONDS", "0.5")
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_gives_up) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    assert not list(folder.iterdir())


def _gives_up():
    with pytest.raises(build.NoCompiler, match="stopped"):
        answer(17)
