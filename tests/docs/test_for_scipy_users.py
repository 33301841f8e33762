"""What docs/for_scipy_users.md shows runs, and the methods that it names are known."""

import re
from pathlib import Path

import pytest

import gradwright
from gradwright.solvers.registry import known_name

TEXT = (Path(gradwright.__file__).parent.parent / "docs" / "for_scipy_users.md").read_text(encoding="utf-8")


def test_its_code_runs_from_top_to_bottom():
    pytest.importorskip("scipy")
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
    assert len(blocks) == 4
    names: dict[str, object] = {"__name__": "for_scipy_users"}
    for block in blocks:
        exec(compile(block, "for_scipy_users.md", "exec"), names)


def test_the_methods_of_its_table_are_understood_or_refused_as_it_says():
    table = TEXT.partition("## Methods")[2].partition("## Settings")[0]
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|$", table, re.M)
    assert len(rows) == 5
    for theirs, here in rows:
        for name in re.findall(r"`(.*?)`", theirs):
            if here.startswith("not here"):
                with pytest.raises(ValueError, match="without derivatives"):
                    known_name(name)
            elif name == "TNC":
                with pytest.raises(ValueError, match="l-bfgs-b"):
                    known_name(name)
            else:
                assert known_name(name) in here or here.startswith("the same name")
