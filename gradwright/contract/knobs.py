"""Hyper-parameters: what is impossible is refused with its name, what changes is followed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from gradwright.contract.asserts import refused
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.descent import without_decay
from gradwright.contract.training import MATRIX, Training, changes, copies, same, served, snapshot, step_on, weights


def _numbers(recipe: RecipeClass, knobs: Knobs) -> dict[str, Any]:
    """The hyper-parameters that are a float or a tuple of them, with the values they have here."""
    values = {**recipe.spec.defaults, **knobs}
    found = {name: value for name, value in values.items() if name in recipe.spec.floats}
    return found | {name: value for name, value in values.items() if isinstance(value, tuple)}


def _damaged(recipe: RecipeClass, knobs: Knobs) -> Iterator[tuple[str, Any]]:
    """Every hyper-parameter with every kind of impossible number in every place."""
    for name, value in _numbers(recipe, knobs).items():
        bad = [math.nan, math.inf, -math.inf, 1e308, 10**400]
        bad += [] if name in recipe.spec.signed else [-0.1]
        bad += [1.0, 1.5] if name in ("betas", "momentum") else []
        for wrong in bad:
            if isinstance(value, tuple):
                yield from ((name, (*value[:i], wrong, *value[i + 1 :])) for i in range(len(value)))
            else:
                yield name, wrong


@check()
def impossible_numbers_are_refused(recipe: RecipeClass, knobs: Knobs) -> None:
    """A number that is not finite, too large, negative, or a beta of 1 is a ValueError that names it and the recipe."""
    for name, wrong in _damaged(recipe, knobs):
        _refuses(recipe, {**knobs, name: wrong}, name, ValueError)


@check()
def wrong_types_are_refused(recipe: RecipeClass, knobs: Knobs) -> None:
    """A hyper-parameter of the wrong kind is a TypeError that names it and the recipe, a huge count a ValueError."""
    for name, value in _numbers(recipe, knobs).items():
        for wrong in ("0.1", {}, True, 1j, object()):
            _refuses(recipe, {**knobs, name: wrong}, name, TypeError)
            if isinstance(value, tuple):
                _refuses(recipe, {**knobs, name: (wrong, *value[1:])}, name, TypeError)
    for name, value in recipe.spec.defaults.items():
        if isinstance(value, bool):
            _refuses(recipe, {**knobs, name: "yes"}, name, TypeError)
        elif isinstance(value, int):
            _refuses(recipe, {**knobs, name: 1.5}, name, TypeError)
            _refuses(recipe, {**knobs, name: 2**63}, name, ValueError)


def _refuses(recipe: RecipeClass, knobs: dict[str, Any], name: str, kind: type[Exception]) -> None:
    what = f"{name}={knobs[name]!r}"
    refused(lambda: recipe(weights(((3, 4),)), **knobs), kind, what, name, recipe.recipe_name)


@check()
def groups_are_checked_at_each_step(recipe: RecipeClass, knobs: Knobs) -> None:
    """An impossible lr in a group is refused at the next step, before anything changes."""
    training = Training(recipe, knobs).step(2)
    group = training.optimizer.param_groups[0]
    for wrong, kind in ((math.nan, ValueError), (-1.0, ValueError), ("fast", TypeError)):
        good, group["lr"] = group["lr"], wrong
        before = snapshot(training.optimizer)
        refused(training.step, kind, f"lr={wrong!r} in a group", "lr", recipe.recipe_name)
        group["lr"] = good
        changed = [name for name in changes(before, snapshot(training.optimizer)) if name != "lr of group 0"]
        assert not changed, f"refusing lr={wrong!r} in a group changed {', '.join(changed)}"


@check()
def groups_override_defaults(recipe: RecipeClass, knobs: Knobs) -> None:
    """A hyper-parameter set in a param group holds for that group alone."""
    resting, moving = copies(served(recipe, knobs, weights(MATRIX)) * 2)
    groups: list[Any] = [{"params": [resting], "lr": 0.0}, {"params": [moving]}]
    optimizer = recipe(groups, **without_decay(recipe, knobs))
    before = [resting.detach().clone(), moving.detach().clone()]
    for _ in range(6):
        gradient = moving.detach() - 1
        step_on(optimizer, [resting, moving], [gradient, gradient], torch.tensor(1.0, device="cpu"))
    assert same(before[0], resting.detach()), "a group with lr=0 moved"
    assert not same(before[1], moving.detach()), "beside a group with lr=0, the other did not move"


@check()
def tensor_lr_is_followed(recipe: RecipeClass, knobs: Knobs) -> None:
    """lr as a CPU tensor steps as the float does, and lr.fill_() acts from the next step on."""
    value = float(knobs.get("lr", recipe.spec.defaults["lr"]))
    for lr in (torch.tensor(given, dtype=torch.float64, device="cpu") for given in (value, [value])):
        by_tensor, by_float = Training(recipe, {**knobs, "lr": lr}), Training(recipe, {**knobs, "lr": value})
        for factor in (1.0, 0.25, 3.0):
            lr.fill_(factor * value)
            for group in by_float.optimizer.param_groups:
                group["lr"] = factor * value
            pairs = zip(by_tensor.step(2).values(), by_float.step(2).values())
            assert all(same(one, other) for one, other in pairs), f"lr.fill_({factor * value:g}) was not followed"
        kept = by_tensor.optimizer.param_groups[0]["lr"]
        assert isinstance(kept, torch.Tensor), f"lr was given as a tensor and became a {type(kept).__name__}"
