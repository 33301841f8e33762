"""The reference proves something only as long as it shares nothing with what it is compared to."""

import ast
from pathlib import Path

import pytest

FILES = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_"))
ALLOWED = {"math", "numpy", "tests"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_reference_imports_numpy_and_itself_only(path):
    tree = ast.walk(ast.parse(path.read_text()))
    modules = [name for node in tree for name in _imported(node)]
    assert {name.split(".")[0] for name in modules} <= ALLOWED
    assert all(name.startswith("tests.reference") for name in modules if name.startswith("tests"))


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) else []
