"""Recipes of the user's own on the command line, and names in any case."""

import pytest

from gradwright.cli.load import contenders_named, recipe_named
from gradwright.optimizer.recipe import registry
from gradwright.recipe.registry import specs
from gradwright.study import from_json
from gradwright.study.runs.contenders import contenders
from tests.study.test_cli import call

MINE = """
import torch
import gradwright
from gradwright.core import chain
from gradwright.transforms import Scale, Sign
RATE = 0.1
@gradwright.recipe(paper="none", traits="elementwise scale_free")
def MineOfTheTest(lr=1e-3):
    \"\"\"The sign of the gradient.\"\"\"
    return chain(Sign(), Scale(lr))
def made(model):
    return torch.optim.SGD(model.parameters(), lr=RATE)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine_of_the_test.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for table in (registry, specs):
        table.pop("MineOfTheTest", None)


@pytest.mark.parametrize("place", ["mine_of_the_test.py", "mine_of_the_test"])
def test_own_recipes_and_functions_are_compared(folder, monkeypatch, capsys, place):
    words = ["--task", "digits-mlp", "--seeds", "1", "--budget", "4", "--quiet"]
    names = f"{place}:MineOfTheTest, {place}:made,adamw"
    code, _, err = call(monkeypatch, capsys, "compare", *words, "--optimizers", names)
    assert code == 0, err
    study = from_json((folder / "report" / "results.json").read_text())
    assert {run.optimizer for run in study.runs} == {"MineOfTheTest", "made", "AdamW"}


def test_an_own_recipe_is_explained(folder, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "explain", "mine_of_the_test.py:MineOfTheTest")
    assert code == 0, err
    assert "The sign of the gradient." in out


def test_names_are_known_in_any_case():
    assert recipe_named("surefoot").recipe_name == "Surefoot"
    assert [one.name for one in contenders("adamw,torch:sgd")] == ["AdamW", "torch:SGD"]
    assert [one.name for one in contenders("torch:adamw,ADAMW")] == ["torch:AdamW", "AdamW"]
    with pytest.raises(ValueError, match="names 'AdamW' twice"):
        contenders("adamw,AdamW")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("mine_of_the_test.py:RATE", "is a float: name a recipe, or a function from the model to its optimizer"),
        ("mine_of_the_test.py:MineOfATest", "has no 'MineOfATest'; did you mean 'MineOfTheTest'"),
        ("gone.py:Mine", "there is no file 'gone.py'"),
    ],
)
def test_what_is_not_there_is_named(folder, names, message):
    with pytest.raises(ValueError, match=message):
        contenders_named(names)
    with pytest.raises(ValueError, match="no recipe called 'AdmaW'; did you mean"):
        recipe_named("AdmaW")
