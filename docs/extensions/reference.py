"""The reference: a page for each recipe and each room, of every public name; one without words is an error."""

import importlib
import inspect
import sys
from pathlib import Path

from docstrings import readable
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

import gradwright
from gradwright.describe import latex_equations, state_bytes
from gradwright.recipe.registry import specs
from gradwright.recipe.traits import TRAITS

FOLDER = Path(__file__).parents[1] / "reference"
ROOMS = {
    "routing": "Several recipes in one optimizer",
    "presets": "Whole models",
    "schedules": "Schedules",
    "sharpness": "Methods that look twice",
    "training": "Around the loop",
    "observe": "Seeing a run",
    "losses": "Losses",
    "calibration": "Calibration",
    "solvers": "Solvers",
    "linear_model": "Linear models",
    "diffusion": "Diffusion",
    "study": "Studies",
    "describe": "Descriptions",
    "contract": "The contract of a recipe",
    "core": "What a part is",
    "transforms": "Parts",
    "engine": "Engines",
}
"""Rooms and what they are for, in the order of the menu."""

WITHOUT_MEMBERS = {"transforms"}
"""Rooms of parts whose methods are all those of ``core.Transform``."""

BASES = "object, Exception, Module, BaseEstimator, str, int, Enum, tuple, dict"
"""Classes of others, whose methods are described elsewhere."""

log = logging.getLogger(__name__)


def title(text, sign="="):
    """A heading."""
    return f"{text}\n{sign * len(text)}\n"


def recipe_page(name):
    """A recipe: its docstring, its equations from the trace, what it holds, and the first lines to write."""
    spec = specs[name]
    text = [title(name), f".. autoclass:: gradwright.{name}", ""]
    if ">>>" not in (inspect.getdoc(spec.build) or ""):
        text += ["Use", "---", "", ".. code-block:: python", "", *(f"    {line}" for line in example(name)), ""]
    try:
        equations = latex_equations(name)
        text += ["One step of a matrix, traced from the recipe", "-" * 44, ""]
        text += ["A prime marks what is new.", "", ".. math::", "", *(f"    {line}" for line in equations.split("\n"))]
    except ValueError as why:
        text.append(str(why))
    text += ["", "What it holds and is", "--------------------", ""]
    text.append(
        f"State: {state_bytes(spec):.3g} bytes a parameter of a 1024 x 1024 matrix in float32. Source: {spec.paper}."
    )
    text += ["", *(f"- *{trait}*: {TRAITS[trait]}" for trait in sorted(spec.traits))]
    return "\n".join(text) + "\n"


def example(name):
    """The first lines to write."""
    spec = specs[name]
    shape = "weights = [torch.nn.Parameter(torch.randn(4, 3))]"
    lines = ["import torch, gradwright", "", shape, f"optimizer = gradwright.{name}(weights)"]
    return [*lines, "loss = weights[0].square().sum()", "loss.backward()", last_line(spec)]


def last_line(spec):
    """How it is stepped."""
    return "optimizer.step(loss=loss)" if "needs_loss" in spec.traits else "optimizer.step()"


def room_page(room, heading):
    """All public names of a room."""
    module = importlib.import_module(f"gradwright.{room}")
    text = [title(f"{heading}: gradwright.{room}"), f".. automodule:: gradwright.{room}", ""]
    text.append(f".. currentmodule:: gradwright.{room}\n")
    for name in module.__all__:
        text += entry(room, name, getattr(module, name))
    return "\n".join(text) + "\n"


def entry(room, name, value):
    """One name; a warning, which is an error, where nobody says what it is."""
    if inspect.ismodule(value) or (room and getattr(gradwright, name, None) is value):
        return []  # a page of its own, or among the first names
    if not (inspect.isclass(value) or callable(value)):
        return [f".. py:data:: {name}", "", *(f"    {line}" for line in said_of(room, name, value)), ""]
    if not (inspect.getdoc(value) or "").strip():
        log.warning("gradwright.%s.%s has no docstring", room, name)
    kind = "class" if inspect.isclass(value) else "function"
    lines = [f".. auto{kind}:: {name}"]
    if kind == "class" and room not in WITHOUT_MEMBERS:
        lines += ["    :members:", f"    :inherited-members: {BASES}"]
    return [*lines, ""]


def said_of(room, name, value):
    """The words below a constant, in whichever module of the room it is made."""
    for path, module in sorted(sys.modules.items()):
        if path.startswith(f"gradwright.{room}") and vars(module).get(name) is value and hasattr(module, "__file__"):
            analyzer = ModuleAnalyzer.for_module(path)
            analyzer.analyze()
            if lines := analyzer.attr_docs.get(("", name)):
                return readable(lines)
    log.warning("gradwright.%s.%s has no words below it", room, name)
    return []


def top_page():
    """The names of the package itself."""
    names = [name for name in gradwright.__all__ if name not in gradwright.recipes.__all__]
    text = [title("gradwright: the first names"), ".. currentmodule:: gradwright", ""]
    for name in names:
        text += entry("", name, getattr(gradwright, name))
    return "\n".join(text) + "\n"


def combinators_page(names):
    """Functions that make recipes of recipes."""
    text = [title("Combinators"), "They make new recipes of others, and nest.", "", ".. currentmodule:: gradwright", ""]
    for name in names:
        text += entry("", name, getattr(gradwright, name))
    return "\n".join(text) + "\n"


def index_page(recipes):
    """Where all of them are."""
    text = [title("Reference"), ".. toctree::", "    :maxdepth: 1", "", "    gradwright", "    combinators"]
    text += [f"    {room}" for room in ROOMS]
    text += [
        "",
        title("Recipes", "-"),
        ".. toctree::",
        "    :maxdepth: 1",
        "",
        *(f"    recipes/{name}" for name in recipes),
    ]
    return "\n".join(text) + "\n"


def write(path, text):
    """Only what changed, so that a second build is quick."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def pages():
    """Every page by its path."""
    made = [name for name in gradwright.recipes.__all__ if isinstance(getattr(gradwright, name), type)]
    recipes = sorted((name for name in made if name in specs), key=str.lower)
    combinators = sorted(set(gradwright.recipes.__all__) - set(made))
    yield "index.rst", index_page(recipes)
    yield "gradwright.rst", top_page()
    yield "combinators.rst", combinators_page(combinators)
    for room, heading in ROOMS.items():
        yield f"{room}.rst", room_page(room, heading)
    for name in recipes:
        yield f"recipes/{name}.rst", recipe_page(name)


def generate(app):
    """Before Sphinx reads."""
    made = dict(pages())
    for path, text in made.items():
        write(FOLDER / path, text)
    for path in FOLDER.rglob("*.rst"):
        if str(path.relative_to(FOLDER)) not in made:
            path.unlink()


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
