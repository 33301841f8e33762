"""Every public class and function of the optimizer says what it does, what its arguments are and what it raises."""

import ast
from pathlib import Path

import pytest

import gradwright

ROOMS = [Path(gradwright.__file__).parent / name for name in ("optimizer", "recipe")]
NOT_FOR_USERS = {"state.py", "arrays.py", "saved_formats.py", "pointers.py", "refusals.py", "tracked.py"}
"""What the engine asks of an optimizer."""
FILES = [file for room in ROOMS for file in sorted(room.glob("*.py")) if file.name not in NOT_FOR_USERS]


def public(tree, inside=""):
    """The public classes, functions and methods of a module, by name."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{node.name}.")


def arguments(node):
    given = node.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in ("self", "cls")]


def fields(node):
    """The arguments of a dataclass: its annotated fields, without class variables."""
    if not any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return []
    found = [
        one for one in node.body if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation)
    ]
    return [one.target.id for one in found if "init=False" not in ast.unparse(one)]


def raised(node):
    """The names of the errors that a function raises itself, not in a function inside."""
    inner = {
        id(one)
        for sub in ast.walk(node)
        if sub is not node and isinstance(sub, ast.FunctionDef)
        for one in ast.walk(sub)
    }
    calls = [one.exc for one in ast.walk(node) if isinstance(one, ast.Raise) and one.exc and id(one) not in inner]
    return {call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}


def faults(name, node):
    text = ast.get_docstring(node)
    if not text:
        return [f"{name} has no docstring"]
    found = []
    if not text.split("\n\n")[0].rstrip().endswith((".", ":", "::")):
        found.append(f"{name}: its first sentence has no end")
    wanted = fields(node) if isinstance(node, ast.ClassDef) else arguments(node)
    section = text.partition("Args:")[2] or text
    found += [f"{name} does not say what {one} is" for one in wanted if len(wanted) > 1 and one not in section]
    if isinstance(node, ast.FunctionDef):
        said = text.partition("Raises:")[2]
        errors = {one for one in raised(node) if one.endswith(("Error", "Exception"))}
        found += [f"{name} does not say that it raises {one}" for one in sorted(errors) if one not in said]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_is_public_is_documented(file):
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), f"{file.name} does not say what it is about"
    found = [fault for name, node in public(tree) for fault in faults(name, node)]
    assert not found, "\n".join(found)
