"""With gradients released, every recipe takes the steps that it takes without, bit for bit, or is refused by name."""

import pytest
import torch

import gradwright
from gradwright.training import release
from tests.contract.table import KINDS, ROWS
from tests.release.bowl import bowl, letting, same, trained

NEEDS_ALL = {"needs_loss", "shared", "totals"}
"""What no parameter has alone."""
FAST = ("Muon", "AdamW", "ScheduleFreeAdamW", "Tiger")
"""Beside the rows that have every trait between them."""
ENGINES = ("eager", "torch", "cpp")


def needs_all(row) -> bool:
    over_all = row.knobs.get("over") == "all" or "Clipped" in row.recipe.recipe_name.replace("ValueClipped", "")
    clips_units = "AdaptivelyClipped" in row.recipe.recipe_name or "SoftlyClipped" in row.recipe.recipe_name
    return bool(NEEDS_ALL & row.recipe.spec.traits) or (over_all and not clips_units)


def is_refused(row) -> None:
    model = bowl(row.recipe, row.knobs)
    optimizer = row.recipe(model.parameters(), **row.knobs)
    with pytest.raises(ValueError, match=f"release: {row.recipe.recipe_name} needs"):
        release(model, optimizer)
    model(0).backward()
    assert all(param.grad is not None for param in model.params)


def holds(row, **knobs) -> None:
    knobs = {**row.knobs, **knobs}
    plain = trained(row.recipe, knobs)
    for hold in (0, 60, None):
        assert same(plain, trained(row.recipe, knobs, within=letting(hold)))


def served(rows):
    """Rows whose chain may be run; the contract refuses the others by name."""
    for row in rows:
        try:
            row.recipe.chain(**row.knobs).check_order(())
        except ValueError:
            continue
        yield row


SERVED = tuple(served(ROWS))
STEPPING = tuple(row for row in SERVED if not needs_all(row))
QUICK = tuple(row for row in STEPPING if row in KINDS or (row.recipe.recipe_name in FAST and not row.knobs))


@pytest.mark.parametrize("row", [row for row in SERVED if needs_all(row)], ids=str)
def test_recipes_that_need_all_gradients_are_refused(row):
    is_refused(row)


@pytest.mark.parametrize("row", QUICK, ids=str)
def test_recipes_step_as_without_release(row):
    holds(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in STEPPING if row not in QUICK], ids=str)
def test_all_forms_step_as_without_release(row):
    holds(row)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("recipe", [gradwright.AdamW, gradwright.Adafactor])
def test_every_engine_steps_as_without_release(recipe, engine):
    plain = trained(recipe, {"engine": engine})
    assert same(plain, trained(recipe, {"engine": engine}, within=letting(60)))


@pytest.mark.parametrize(
    ("state", "weights"), [("8bit", "split24"), ("bfloat16", "stochastic"), ("float32", "split32")]
)
@pytest.mark.parametrize(("recipe", "own"), [(gradwright.AdamW, {}), (gradwright.SGD, {"momentum": 0.9})])
def test_every_format_steps_as_without_release(recipe, own, state, weights):
    knobs = {**own, "state": state, "weights": weights}
    plain = trained(recipe, knobs, dtype=torch.bfloat16)
    assert same(plain, trained(recipe, knobs, dtype=torch.bfloat16, within=letting(60)))
