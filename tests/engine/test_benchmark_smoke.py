"""The benchmarks run, and say of every row whether it passes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("compiler")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "step_time.py"


def run(folder, *arguments):
    command = [sys.executable, str(SCRIPT), "--smoke", "--rounds", "1", "--out", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "step_time_cpu.json").read_text())


def test_some_rows(tmp_path):
    only = ("adamw-gpt", "elementwise-Lion", "muon-error", "recompilations")
    table, report = run(tmp_path, *(word for name in only for word in ("--only", name)))
    assert [row["name"] for row in report["rows"]] == list(only)
    for row in report["rows"]:
        assert row["verdict"] in ("pass", "miss")
        assert row["name"] in table
    assert {"cpu", "threads", "compiler", "torch"} <= report["hardware"].keys()
    by_name = {row["name"]: row for row in report["rows"]}
    assert by_name["muon-error"]["figure"] < 1e-3
    assert by_name["recompilations"]["figure"] == 0
    assert by_name["adamw-gpt"]["fused"] > 0


@pytest.mark.slow
def test_a_name_that_no_row_has(tmp_path):
    command = [sys.executable, str(SCRIPT), "--smoke", "--only", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode != 0
    assert "nonsense" in done.stderr


@pytest.mark.slow
def test_all_rows(tmp_path):
    _, report = run(tmp_path)
    names = [row["name"] for row in report["rows"]]
    assert len(names) == len(set(names))
    assert {"first-step-cold", "first-step-warm", "bfloat16-adamw", "muon-gpt", "muon-many"} <= set(names)
    for row in report["rows"]:
        assert row["figure"] is not None or row["note"], row["name"]
