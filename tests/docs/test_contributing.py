"""The optimizer in thirty lines that CONTRIBUTING shows is the one in examples/, and it meets the contract."""

import subprocess
import sys
from pathlib import Path

import gradwright

ROOT = Path(gradwright.__file__).parent.parent
EXAMPLE = ROOT / "examples" / "nosadam.py"


def test_contributing_shows_the_example_and_it_is_short():
    text = EXAMPLE.read_text()
    assert text in (ROOT / "CONTRIBUTING.md").read_text()
    assert len(text.splitlines()) <= 32
    assert "NosAdam" not in gradwright.__all__


def test_the_example_meets_the_contract():
    # in a process of its own, as a user runs it, and so that the registry here stays the library's
    command = [sys.executable, "-c", "from gradwright.cli import main; main()", "check", "nosadam:NosAdam"]
    done = subprocess.run(command, cwd=EXAMPLE.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout
