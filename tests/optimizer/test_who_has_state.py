"""State is kept for whoever is trained: not for the frozen, not for those who left, and for those who came instead."""

import io

import pytest
import torch
from torch import nn

import gradwright
from gradwright import AdamW, Lion, Muon, lookahead

RECIPES = pytest.mark.parametrize("recipe", [AdamW, Lion, lookahead(AdamW)], ids=lambda recipe: recipe.recipe_name)


def adapted():
    """A large frozen layer with a small one that is trained beside it."""
    model = nn.Sequential(nn.Linear(256, 256), nn.Linear(256, 2))
    for param in model[0].parameters():
        param.requires_grad_(False)
    return model


def train(model, optimizer, steps=2):
    width = model[0].in_features
    for time in range(steps):
        optimizer.zero_grad()
        inputs = torch.randn(8, width, generator=torch.Generator().manual_seed(time))
        model(inputs).square().mean().backward()
        optimizer.step()


def saved_bytes(optimizer):
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    return len(file.getvalue())


@RECIPES
def test_frozen_parameters_have_no_state(recipe):
    model = adapted()
    optimizer = recipe(model.parameters())
    assert set(optimizer.state) == set(model[1].parameters())
    train(model, optimizer)
    assert set(optimizer.state) == set(model[1].parameters())
    assert saved_bytes(optimizer) < 30_000


@RECIPES
def test_state_is_there_from_construction_for_what_requires_a_gradient(recipe):
    """So that all ranks of a distributed run have the same keys, gradient or not."""
    model = adapted()
    made, trained = recipe(model.parameters()), recipe(model.parameters())
    train(model, trained)
    keys = [{index: set(state) for index, state in one.state_dict()["state"].items()} for one in (made, trained)]
    assert keys[0] == keys[1]


@RECIPES
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_a_thawed_parameter_begins_at_its_first_gradient(recipe, engine):
    model = adapted()
    optimizer = recipe(model.parameters(), lr=0.01, engine=engine)
    train(model, optimizer, 3)
    for param in model[0].parameters():
        param.requires_grad_(True)
    before = model[0].weight.detach().clone()
    train(model, optimizer, 2)
    assert not torch.equal(before, model[0].weight)
    assert [optimizer.state[param]["step"] for param in model.parameters()] == [2.0, 2.0, 5.0, 5.0]


@RECIPES
def test_checkpoints_of_frozen_models_resume(recipe):
    model, other = adapted(), adapted()
    other.load_state_dict(model.state_dict())
    optimizer, resumed = recipe(model.parameters()), recipe(other.parameters())
    train(model, optimizer, 3)
    other.load_state_dict(model.state_dict())
    resumed.load_state_dict(optimizer.state_dict())
    train(model, optimizer)
    train(other, resumed)
    assert all(map(torch.equal, model.parameters(), other.parameters()))


@RECIPES
@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
def test_parameters_that_a_framework_puts_in_place(recipe, named):
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))
    optimizer = recipe(list(model.named_parameters()) if named else model.parameters(), lr=0.01)
    train(model, optimizer)
    moved = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))
    moved.load_state_dict(model.state_dict())
    optimizer.param_groups[0]["params"] = list(moved.parameters())
    found = optimizer.state_dict()
    assert sorted(found["state"]) == [0, 1, 2, 3]
    assert {state["step"] for state in found["state"].values()} == {0.0}
    assert set(optimizer.state) == set(moved.parameters())
    train(moved, optimizer)
    fresh_model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))
    fresh_model.load_state_dict(model.state_dict())
    if "clock" not in recipe.spec.traits:
        train(fresh_model, recipe(fresh_model.parameters(), lr=0.01))
        for mine, its in zip(moved.parameters(), fresh_model.parameters()):
            torch.testing.assert_close(mine, its)


def test_a_group_that_shrinks_and_grows():
    one, two, three = (torch.ones(4, requires_grad=True) for _ in range(3))
    optimizer = AdamW([one, two])
    for param in (one, two, three):
        param.grad = torch.ones(4)
    optimizer.step()
    optimizer.param_groups[0]["params"] = [two, three]
    for param in (one, two, three):
        param.grad = torch.ones(4)
    optimizer.step()
    assert set(optimizer.state) == {two, three}
    assert [optimizer.state[param]["step"] for param in (two, three)] == [2.0, 1.0]


def test_routed_parameters_that_are_frozen():
    model = adapted()
    optimizer = gradwright.route(model, {"matrix": Muon.bind(), "*": AdamW.bind()})
    train(model, optimizer)
    assert set(optimizer.state) == set(model[1].parameters())
