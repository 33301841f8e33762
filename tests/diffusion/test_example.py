"""The example runs, and its table says what the picture shows."""

import subprocess
import sys
from pathlib import Path

import pytest

import gradwright

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
EXAMPLE = Path(gradwright.__file__).parent.parent / "examples" / "optimal_variance_digits.py"


def test_the_digits_example_draws_its_picture_and_the_optimal_variance_has_the_lowest_bound(tmp_path):
    picture = tmp_path / "digits.png"
    command = [sys.executable, str(EXAMPLE), "--quick", "--out", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    bits = {line[:30].strip(): float(line[30:43]) for line in done.stdout.splitlines() if " variance" in line[:30]}
    assert bits["optimal variance and times"] <= bits["optimal variance"]
    assert bits["optimal variance"] < min(bits["small variance"], bits["large variance"])
