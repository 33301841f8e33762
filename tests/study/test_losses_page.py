"""docs/losses.md names every loss, draws every curve, and its commands and code can be run."""

import re
import runpy
import shlex
from pathlib import Path

import torch

import gradwright
from gradwright.losses import LOSSES
from gradwright.study import tasks
from gradwright.study.runs.losses import losses

FOLDER = Path(gradwright.__file__).parent.parent / "docs"
TEXT = (FOLDER / "losses.md").read_text().replace("\\\n", "")


def test_every_loss_is_on_the_page():
    named = set(re.findall(r"`(\w+)", TEXT))
    assert set(LOSSES) - named == set()


def test_the_picture_has_every_curve():
    drawn = runpy.run_path(str(FOLDER / "losses" / "draw.py"))["SETTINGS"]
    assert set(drawn) == {name for name, entry in LOSSES.items() if entry.curve is not None}
    p = torch.tensor([0.1, 0.9])
    for name, settings in drawn.items():
        for setting in settings:
            assert LOSSES[name].weight(p, **setting).shape == p.shape
    assert (FOLDER / "losses" / "weights.png").read_bytes().startswith(b"\x89PNG")


def test_the_commands_name_tasks_and_losses_that_exist():
    lines = re.findall(r"^gradwright compare .*", TEXT, re.MULTILINE)
    assert len(lines) >= 2
    for line in lines:
        words = shlex.split(line)
        options = dict(zip(words[2::2], words[3::2]))
        assert tasks.find(options["--task"]).judge
        assert losses(options["--losses"])


def test_the_table_is_of_the_losses_in_the_command():
    command = re.search(r"--task zipf-noise --losses \"([^\"]+)\"", TEXT)[1]
    rows = re.findall(r"^\| `([^`]+)` \| \d+\.\d ±", TEXT, re.MULTILINE)
    assert set(rows) == {loss.name for loss in losses(command)}


def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    pairs = [(x, (x[:, 0] > 0).long())]
    names = {"make_model": lambda: torch.nn.Linear(4, 2), "train": pairs, "validation": pairs}
    [block] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(block.replace("steps=2000", "steps=30"), names)
    assert {run.status for run in names["study"].runs} <= {"finished", "no progress", "diverged"}
    assert (tmp_path / "report" / "index.html").exists()
