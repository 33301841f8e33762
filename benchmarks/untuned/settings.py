"""What an optimizer is set to and made of: a run is measured again where that has changed."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from gradwright.optimizer.recipe import registry

UNSAID = {"params", "param_names", "roles", "clock", "foreach", "fused", "capturable", "differentiable", "maximize"}


def settings_of(optimizer: torch.optim.Optimizer) -> str:
    """The hyper-parameters of each group, and a digest of the parts' code without comments and docstrings."""
    return "; ".join(dict.fromkeys(_group(optimizer, group) for group in optimizer.param_groups))


def digest(text: str) -> str:
    """Eight hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _group(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> str:
    recipe = registry.get(group.get("recipe", ""))
    name = recipe.__name__ if recipe else f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"
    knobs = {key: value for key, value in group.items() if key not in UNSAID and key != "recipe"}
    said = f"{name}({', '.join(f'{key}={value}' for key, value in knobs.items())})"
    if recipe is None:
        return f"{said} of torch {torch.__version__}"
    modules = {recipe.spec.build.__module__, *(type(part).__module__ for part in _parts(recipe.spec.chain(knobs)))}
    return f"{said}, code {digest(''.join(_code(module) for module in sorted(modules)))}"


def _parts(value: Any) -> Iterator[Any]:
    """The parts of a chain, and theirs."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from _parts(each)
    elif is_dataclass(value) and not isinstance(value, type):
        yield value
        for each in fields(value):
            yield from _parts(getattr(value, each.name))


def _code(module: str) -> str:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
