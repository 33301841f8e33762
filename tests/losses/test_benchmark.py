"""The benchmark of losses runs, and says of each how it stands."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

from gradwright.losses import LOSSES

FOLDER = Path(__file__).parents[2] / "benchmarks"


def _run(monkeypatch, *words):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", ["losses.py", "--rounds", "1", "--batch", "4", "--classes", "6", *words])
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(FOLDER / "losses.py"), run_name="__main__")
    finally:
        torch.set_num_threads(threads)


def test_it_times_every_loss(monkeypatch, capsys):
    _run(monkeypatch)
    said = capsys.readouterr().out
    assert all(f"\n{name} " in said for name in LOSSES)
    (line,) = (line for line in said.splitlines() if line.startswith("exact "))
    assert "pass" in line or "miss" in line


def test_a_loss_there_is_not(monkeypatch):
    with pytest.raises(SystemExit, match="no loss is called nothing"):
        _run(monkeypatch, "--only", "nothing")
