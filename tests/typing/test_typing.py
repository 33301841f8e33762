"""Type checkers know the arguments of every recipe, the shared ones too."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gradwright
from gradwright.optimizer.recipe import Recipe
from tests.typing.stub import FILE, SHARED, text

SNIPPET = Path(__file__).with_name("snippet.py")
ROOT = Path(gradwright.__file__).parent.parent
WRONG = {
    number: found.group(1)
    for number, line in enumerate(SNIPPET.read_text().splitlines(), 1)
    if (found := re.search(r"# error: ([\w-]+)$", line))
}


def test_the_stub_is_current():
    assert FILE.read_text() == text(), "run python -m tests.typing.stub"


def test_every_shared_argument_of_the_stub_is_taken(recwarn):
    for line in SHARED:
        name, default = re.match(r"(\w+): .* = (.*)", line).groups()
        gradwright.AdamW([torch.ones(2, requires_grad=True)], **{name: ast.literal_eval(default)})
    assert not recwarn.list


def test_the_signature_that_help_shows_has_them_too():
    shown = inspect.signature(gradwright.AdamW).parameters
    assert [name for name, p in shown.items() if p.kind is p.KEYWORD_ONLY] == [
        "maximize",
        "state",
        "weights",
        "engine",
        "skip_nonfinite",
        "foreach",
        "fused",
        "capturable",
        "differentiable",
    ]
    assert issubclass(gradwright.AdamW, Recipe)


@pytest.mark.slow
def test_mypy_takes_what_is_right_and_no_more():
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--config-file=", str(SNIPPET)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    errors = {
        int(line): code
        for path, line, code in re.findall(r"^(\S+):(\d+): error: .*\[([\w-]+)\]$", found.stdout, re.M)
        if Path(path).name == SNIPPET.name
    }
    assert errors == WRONG, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright is not installed")
def test_pyright_takes_what_is_right_and_no_more():
    found = subprocess.run(["pyright", str(SNIPPET)], cwd=ROOT, capture_output=True, text=True)
    lines = {int(line) for line in re.findall(r"snippet\.py:(\d+):\d+ - error", found.stdout)}
    assert lines == WRONG.keys(), found.stdout + found.stderr
