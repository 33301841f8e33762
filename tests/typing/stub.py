"""gradwright/recipes/__init__.pyi: what type checkers see of the recipes; written by ``python -m tests.typing.stub``.

A decorator can give a class the arguments of a function (a ParamSpec), but not keyword-only ones beside them, so that
``engine=`` and ``maximize=`` would be errors to a type checker. The stub spells out every constructor.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import gradwright.recipes
from gradwright.optimizer.recipe import Recipe

FILE = Path(gradwright.recipes.__file__).with_suffix(".pyi")

HEAD = '''"""Named optimizers and combinators as type checkers see them; written by ``python -m tests.typing.stub``."""

from typing import Literal

from torch import Tensor
from torch.optim.optimizer import ParamsT

from gradwright.optimizer.recipe import Recipe
'''

NUMBER = "Number = float | Tensor"

SHARED = (
    "maximize: bool = False",
    'state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto"',
    'weights: Literal["plain", "split24", "split32", "stochastic"] = "plain"',
    'engine: str = "auto"',
    "skip_nonfinite: bool = False",
    "foreach: bool | None = None",
    "fused: bool | None = None",
    "capturable: bool | None = None",
    "differentiable: Literal[False] | None = None",
)
"""What every constructor takes beside the hyper-parameters, by keyword."""


def text() -> str:
    """The stub."""
    names = gradwright.recipes.__all__
    members = {name: getattr(gradwright.recipes, name) for name in names}
    recipes = {name: one for name, one in members.items() if isinstance(one, type) and issubclass(one, Recipe)}
    others: dict[str, list[str]] = {}
    for name in sorted(members.keys() - recipes.keys()):
        others.setdefault(members[name].__module__, []).append(name)
    imports = [_import(module, imported) for module, imported in sorted(others.items())]
    classes = [_class(name, cls) for name, cls in sorted(recipes.items())]
    exported = "\n".join(f'    "{name}",' for name in names)
    body = "\n\n".join([NUMBER, *classes])
    return f"{HEAD}{''.join(imports)}\n__all__ = [\n{exported}\n]\n\n{body}\n"


def _import(module: str, names: list[str]) -> str:
    aliases = [f"{name} as {name}" for name in names]
    return "".join(f"from {module} import {alias}\n" for alias in aliases)


def _class(name: str, cls: type[Recipe[...]]) -> str:
    parameters = inspect.signature(cls.spec.build).parameters.values()
    lines = ["self", "params: ParamsT", *map(_parameter, parameters), "*", *SHARED]
    inside = "".join(f"        {line},\n" for line in lines)
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    return f'class {name}(Recipe[...]):\n    """{summary}"""\n\n    def __init__(\n{inside}    ) -> None: ...'


def _parameter(parameter: inspect.Parameter) -> str:
    annotation: Any = parameter.annotation
    said = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    said = {"float": "Number", "float | None": "Number | None"}.get(said, said).replace("'", '"')
    default = repr(parameter.default).replace("'", '"')
    return f"{parameter.name}: {said} = {default}"


if __name__ == "__main__":
    FILE.write_text(text())
