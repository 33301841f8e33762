"""docs/conformance.md names every recipe and form that has a reference, and nothing that is gone."""

import re

from gradwright.optimizer.recipe import registry
from tests.conformance import FILE, forms, name_of, runs_as, state_bytes

TEXT = FILE.read_text()


def test_every_form_is_listed_with_its_engine_and_state():
    lines = TEXT.splitlines()
    for recipe, rows in forms().items():
        assert f"### {recipe.recipe_name}" in lines, f"{recipe.recipe_name}: python -m tests.conformance"
        for row in rows:
            ends = f"| {runs_as(row)} | {state_bytes(row)} |"
            listed = any(line.startswith(f"| `{name_of(row)}") and line.endswith(ends) for line in lines)
            assert listed, f"{name_of(row)} {ends}: python -m tests.conformance"


def test_no_error_is_beyond_the_bounds_of_the_tests():
    errors = re.findall(r"\| (\d\.\de[-+]\d+) \| (\d\.\de[-+]\d+) \|", TEXT)
    assert len(errors) > 100
    for double, single in errors:
        assert float(double) < 1e-12
        assert float(single) < 1e-5


def test_every_recipe_of_the_library_is_there():
    own = {
        name for name, cls in registry.items() if cls.__module__.startswith("gradwright.recipes.") and not cls.made_by
    }
    assert own <= set(re.findall(r"^### (\w+)$", TEXT, re.M))
