"""No behaviour changes unseen: every variant still walks as it did when its trajectory was written down."""

import json

import pytest

from gradwright.optimizer.recipe import registry
from tests.families import entries
from tests.golden.problem import trajectory
from tests.golden.regenerate import FOLDER
from tests.runs import distance

VARIANTS = entries("GOLDEN")
STORED = {name: walk for file in sorted(FOLDER.glob("*.json")) for name, walk in json.loads(file.read_text()).items()}
HINT = "if the change is meant: python -m tests.golden.regenerate"


@pytest.mark.parametrize("name", VARIANTS)
def test_the_trajectory_is_the_stored_one(name):
    found, stored = trajectory(VARIANTS[name]), STORED[name]
    assert found.keys() == stored.keys(), HINT
    for at, tensors in stored.items():
        for index, numbers in enumerate(tensors):
            assert distance(found[at][index], numbers) < 1e-10, f"tensor {index} at {at}; {HINT}"


def test_the_files_hold_every_variant_and_no_other():
    assert STORED.keys() == VARIANTS.keys(), HINT


def test_every_recipe_of_the_library_has_a_variant():
    own = {
        name
        for name, recipe in registry.items()
        if recipe.__module__.startswith("gradwright.recipes.") and recipe.made_by is None
    }
    assert own <= {chosen.recipe.recipe_name for chosen in VARIANTS.values()}
