"""The table is complete, and what it says is true."""

import pytest
from torch.optim import lr_scheduler

import gradwright
from gradwright import recipes
from gradwright.contract import CHECKS
from gradwright.contract.schedules import SCHEDULERS
from gradwright.optimizer.recipe import registry
from gradwright.recipe.traits import TRAITS
from tests.contract.table import COMBINED, KINDS, ROWS
from tests.contract.test_contract import ALIKE_FOR_ALL, COMBINATORS_MAY_BREAK

OWN = {cls for cls in registry.values() if cls.__module__.startswith("gradwright.recipes.") and cls.made_by is None}


def test_every_recipe_has_a_row():
    missing = {cls.recipe_name for cls in OWN} - {row.recipe.recipe_name for row in ROWS}
    assert not missing, f"no row under CONTRACT in tests/families for {', '.join(sorted(missing))}"


def test_the_fast_tests_see_every_trait_every_combinator_and_every_check():
    assert set().union(*(row.recipe.spec.traits for row in KINDS)) >= TRAITS.keys()
    assert {row.recipe.made_by[0] for row in COMBINED} == {
        value for name in recipes.__all__ if not isinstance(value := getattr(recipes, name), type)
    }
    assert CHECKS.keys() >= COMBINATORS_MAY_BREAK | ALIKE_FOR_ALL


def test_rows_differ():
    assert len({str(row) for row in ROWS}) == len(ROWS)


def test_every_public_recipe_is_registered():
    public = {getattr(gradwright, name) for name in gradwright.__all__}
    recipes = {value for value in public if isinstance(value, type) and issubclass(value, gradwright.Recipe)}
    assert recipes - {gradwright.Recipe} == OWN


@pytest.mark.parametrize("recipe", sorted(OWN, key=lambda cls: cls.recipe_name), ids=lambda cls: cls.recipe_name)
def test_own_recipes_use_known_traits_only(recipe):
    assert recipe.spec.traits <= TRAITS.keys()


def test_exceptions_name_checks_and_give_reasons():
    for row in ROWS:
        assert row.exceptions.keys() <= CHECKS.keys()
        assert all(len(reason.split()) > 3 for reason in row.exceptions.values())


def test_every_scheduler_of_torch_is_tried():
    assert SCHEDULERS.keys() == set(lr_scheduler.__all__) - {"LRScheduler"}


def test_every_check_says_a_sentence():
    for check in CHECKS.values():
        assert check.says.endswith("."), f"{check.name}: {check.says!r}"
        assert len(check.says.split()) > 6, f"{check.name}: {check.says!r}"
