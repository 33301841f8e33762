"""Kernels that watch their memory: an overrun of a tensor by one entry ends the process with a report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradwright.native import build

from .conftest import answer

SCRIPT = """
import ctypes, sys, numpy, torch
from gradwright.native import build
held = {"tensor": torch.ones(1000), "array": numpy.ones(1000, numpy.float32)}[sys.argv[1]]
run = build.load('extern "C" void run(float* p, long n) { for (long k = 0; k < n; ++k) p[k] = 2; }').run
place = held.data_ptr() if sys.argv[1] == "tensor" else held.ctypes.data
run(ctypes.c_void_p(place + int(sys.argv[3])), ctypes.c_long(int(sys.argv[2])))
print("done")
"""


@pytest.mark.usefixtures("folder", "compiler")
def test_they_are_refused_where_they_cannot_be_loaded(monkeypatch):
    if os.environ.get("GRADWRIGHT_SANITIZE") == "1":
        pytest.skip("they are loaded already")
    monkeypatch.setenv("GRADWRIGHT_SANITIZE", "1")
    with pytest.raises(build.NoCompiler, match=r"LD_PRELOAD.*make test-asan"):
        answer(1)
    monkeypatch.setenv("GRADWRIGHT_SANITIZE", "0")
    assert answer(1) == 1


@pytest.mark.slow
@pytest.mark.parametrize("held", ["tensor", "array"])
@pytest.mark.parametrize(
    ("count", "offset", "report"),
    [
        pytest.param(1000, 0, None, id="right"),
        pytest.param(1001, 0, "heap-buffer-overflow", id="behind"),
        pytest.param(1000, -4, "heap-buffer-overflow", id="before"),
        pytest.param(10, 1, "misaligned address", id="crooked"),
    ],
)
def test_an_overrun_is_reported(held, count, offset, report, tmp_path):
    libraries = [_library(name) for name in ("libasan.so", "libstdc++.so.6")]
    outer = {name: value for name, value in os.environ.items() if name not in ("CXX", "OMP_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, held, str(count), str(offset)],
        env={
            **outer,
            "CXX": "g++",
            "GRADWRIGHT_SANITIZE": "1",
            "GRADWRIGHT_CACHE": str(tmp_path / "cache"),
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if report is None:
        assert done.returncode == 0, done.stderr
        assert done.stdout == "done\n"
    else:
        assert done.returncode != 0
        assert report in done.stderr


def _library(name):
    try:
        found = subprocess.check_output(["g++", f"-print-file-name={name}"], text=True).strip()
    except OSError:
        pytest.skip("there is no g++")
    if not os.path.isabs(found):
        pytest.skip(f"g++ comes without {name}")
    return found
