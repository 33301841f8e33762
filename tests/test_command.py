"""``python -m gradwright`` is the command line, and says which versions it is."""

import subprocess
import sys

import pytest
import torch

import gradwright

pytest.importorskip("typer")


def said(*words):
    done = subprocess.run([sys.executable, "-m", "gradwright", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_its_versions():
    assert said("--version").split() == ["gradwright", f"{gradwright.__version__},", "torch", torch.__version__]


def test_it_is_the_command_line():
    assert "Usage: gradwright " in said("--help")
