"""What the README shows is true: its table is the library's own, its snippets run, its commands exist."""

import re
from pathlib import Path

import torch

import gradwright
from gradwright.describe import catalogue
from gradwright.optimizer.recipe import registry
from gradwright.recipe.registry import specs
from tests.contract.table import COMBINED, PLAIN

ROOT = Path(gradwright.__file__).parent.parent
README = (ROOT / "README.md").read_text()
WORDS = ("Twenty", 20)


def test_the_tables_are_up_to_date():
    assert catalogue.newcomers_table() in README, "describe.catalogue.newcomers_table() belongs there"
    assert catalogue.page() == (ROOT / "docs" / "recipes.md").read_text(), "python -m gradwright.describe.catalogue"


def test_the_numbers_of_recipes_and_combinators_are_right():
    assert f"all {len(PLAIN)} of them" in README
    assert WORDS[0] in README
    assert len(COMBINED) == WORDS[1]


def test_the_snippets_run_one_after_another(capsys):
    snippets = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    assert len(snippets) >= 4
    names = {"__name__": "readme"}
    try:
        for snippet in snippets:
            exec(compile(snippet, "README.md", "exec"), names)
        _steps_like_adamw(names["MyAdamW"])
    finally:
        for table in (registry, specs):
            table.pop("MyAdamW", None)
    printed = capsys.readouterr().out
    assert "Muon(lr=0.02)" in printed
    assert "group 0: AdamW" in printed


def _steps_like_adamw(recipe):
    walks = []
    for made in (recipe, gradwright.AdamW):
        param = torch.ones(3, requires_grad=True)
        optimizer = made([param])
        for time in range(3):
            param.grad = torch.tensor([1.0, -2.0, 0.5]) + time
            optimizer.step()
        walks.append(param.detach())
    assert torch.equal(*walks)


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if "://" not in target:
            assert (ROOT / target.partition("#")[0]).exists(), target


def test_the_commands_at_the_top_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for command in ("run", "test"):
        assert f"make {command} " in README
        assert f"\n{command}:" in makefile


def test_the_commands_of_gradwright_exist():
    from typer.main import get_command

    from gradwright.cli import application

    known = get_command(application()).commands
    for line in re.findall(r"^gradwright (.+)$", README, re.M):
        name, *words = line.partition("#")[0].split()
        options = {option for param in known[name].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
