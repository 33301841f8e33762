"""The code in docs/diffusion.md runs as it stands, and its table is what the chain gives."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import gradwright
from tests.diffusion.test_chain import EXACT, chain
from tests.diffusion.toys import GAUSSIAN, LINEAR

TEXT = (Path(gradwright.__file__).parent.parent / "docs" / "diffusion.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_first_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"network": GAUSSIAN.network(LINEAR), "loader": [torch.rand(20, 3, 4, 4)]}
    exec(BLOCKS[0], names)
    assert names["images"].shape == (16, 3, 32, 32)
    assert (tmp_path / "error.pt").exists()


def test_the_block_for_diffusers_runs():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=20, beta_end=0.3)

    def unet(x, t):
        return SimpleNamespace(sample=0.5 * x)

    model = torch.nn.Module()
    model.forward = unet
    names = {"pipe": SimpleNamespace(unet=model, scheduler=scheduler), "loader": [torch.rand(8, 1, 4, 4)]}
    exec("from gradwright.diffusion import estimate_denoising_error, optimal_trajectory\n" + BLOCKS[1], names)
    assert len(names["pipe"].scheduler.timesteps) == 10


def test_the_table_of_the_chain():
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [5, 10, 50]
    for length, *values in rows:
        length = int(length)
        found = chain(length, "small"), chain(length, "large"), chain(length, "small", 0.0), chain(length, EXACT)
        assert [float(value) for value in values] == pytest.approx(found, abs=6e-5)


def test_the_package_needs_torch_alone():
    command = "import sys, gradwright.diffusion; print(*sorted({'diffusers', 'sklearn', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""
