"""The examples of docs/distributed.md run under torchrun, on two processes of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

import gradwright
from gradwright.describe.communication import PAGE, main, page

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"
)
ROOT = Path(gradwright.__file__).parent.parent


def torchrun(script, folder, ranks=2):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(ranks),
        str(script),
    ]
    paths = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, **paths})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_example_of_a_sharded_model(tmp_path):
    said = torchrun(ROOT / "examples" / "sharded.py", tmp_path)
    assert "as plain torch, batched over equal shapes" in said
    losses = [float(found) for found in re.findall(r"loss (\d\.\d+)", said)]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    assert said.rstrip().endswith("saved and loaded")


@pytest.mark.slow
def test_the_example_of_a_linear_model(tmp_path):
    """As the page has it, with rows made here; one of three ranks has a single one."""
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "linear_model" in block
    ]
    script = tmp_path / "fit.py"
    rows = (
        "import gradwright.linear_model, numpy, os, torch.distributed\n"
        "X = numpy.random.default_rng(0).normal(size=(60, 3)); y = (X[:, 0] > 0).astype(int)\n"
        "own = [slice(0, 40), slice(40, 41), slice(41, 60)][int(os.environ['RANK'])]\n"
        "X_of_this_rank, y_of_this_rank = X[own], y[own]\n"
    )
    script.write_text(f"{rows}{code}\nprint('coef', model.coef_.round(6).tolist())\n")
    found = re.findall(r"coef (\[\[.*?\]\])", torchrun(script, tmp_path, ranks=3))
    assert len(found) == 3
    assert len(set(found)) == 1


@pytest.mark.slow
def test_the_page_has_the_table_of_today():
    assert page(PAGE.read_text()) == PAGE.read_text()


@pytest.mark.slow
def test_the_table_of_the_page_is_what_its_command_prints(capsys):
    main(["--ranks", "8", "64", "1024", "4096", "--model", "gpt-7b"])
    assert capsys.readouterr().out.strip() in PAGE.read_text()


@pytest.mark.parametrize(
    "words", [["--model", "gpt-8b"], ["--ranks", "0"], ["--bandwidth", "0"], ["--recipe", "Muonn"]]
)
def test_wrong_inputs_are_refused(words, capsys):
    with pytest.raises((SystemExit, ValueError)):
        main(words)
