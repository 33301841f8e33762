"""State tells when it is changed, and is a plain dictionary to everybody else."""

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch

from gradwright import AdamW, NAdam
from gradwright.optimizer.tracked import Changes, TrackedState


def trained(steps=3, engine="auto", recipe=AdamW):
    params = [torch.linspace(-1, 1, 12).view(4, 3).requires_grad_(), torch.ones(5, requires_grad=True)]
    optimizer = recipe(params, engine=engine)
    step(optimizer, steps)
    return optimizer, params


def step(optimizer, steps=1):
    for _ in range(steps):
        for param in optimizer.param_groups[0]["params"]:
            param.grad = torch.full_like(param, 0.5)
        optimizer.step()


MUTATIONS = {
    "set": lambda s: s.__setitem__("a", 2),
    "delete": lambda s: s.__delitem__("a"),
    "pop": lambda s: s.pop("a"),
    "pop nothing": lambda s: s.pop("b", None),
    "popitem": lambda s: s.popitem(),
    "clear": lambda s: s.clear(),
    "update": lambda s: s.update(a=3),
    "setdefault": lambda s: s.setdefault("b", 1),
    "or": lambda s: s.__ior__({"b": 1}),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_change_is_told_and_does_what_it_does_to_a_dictionary(name):
    changes = Changes()
    state, plain = TrackedState(changes, {"a": 1}), {"a": 1}
    changes.held[0], before = [torch.ones(1)], changes.count
    MUTATIONS[name](state)
    MUTATIONS[name](plain)
    assert dict(state) == plain
    assert changes.count > before
    assert not changes.held


def test_the_methods_that_change_a_dictionary_are_all_told_of():
    reads = {"copy", "fromkeys", "get", "items", "keys", "values"}
    changing = {name for name in dir(dict) if not name.startswith("__")} - reads
    changing |= {"__setitem__", "__delitem__", "__ior__"}
    assert changing <= vars(TrackedState).keys()


def test_copies_are_plain():
    state = TrackedState(Changes(), {"step": 1.0})
    for other in (copy.copy(state), copy.deepcopy(state), pickle.loads(pickle.dumps(state)), state.copy()):
        assert type(other) is dict
        assert other == state


def test_checkpoints_hold_plain_dictionaries():
    optimizer, _ = trained()
    found = optimizer.state_dict()
    assert {type(state) for state in found["state"].values()} == {dict}
    file = io.BytesIO()
    torch.save(found, file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["state"].keys() == found["state"].keys()


def test_a_replaced_tensor_is_freed_at_once():
    optimizer, params = trained()
    old = weakref.ref(optimizer.state[params[0]]["ema.m"])
    optimizer.state[params[0]]["ema.m"] = torch.zeros(4, 3)
    gc.collect()
    assert old() is None


def test_a_dictionary_of_the_users_stays_the_users():
    optimizer, params = trained()
    mine = dict(optimizer.state[params[0]])
    optimizer.state[params[0]] = mine
    step(optimizer)
    assert optimizer.state[params[0]] is mine
    mine["ema.m"] = torch.full((4, 3), 100.0)
    before = params[0].detach().clone()
    step(optimizer)
    assert (before - params[0].detach()).min() > 0
    assert mine["step"] == 5


@pytest.mark.parametrize("engine", ["auto", "eager", "torch"])
@pytest.mark.parametrize("recipe", [AdamW, NAdam], ids=lambda recipe: recipe.recipe_name)
def test_ages_written_from_outside_count(engine, recipe):
    optimizer, params = trained(engine=engine, recipe=recipe)
    optimizer.state[params[0]]["step"] = 100.0
    step(optimizer)
    assert [optimizer.state[param]["step"] for param in params] == [101.0, 4.0]
    step(optimizer, 2)
    assert [optimizer.state[param]["step"] for param in params] == [103.0, 6.0]


def test_a_step_in_which_one_parameter_runs_by_itself_counts_too():
    """A gradient inside another parameter's memory is stepped on plain torch; the batch was left out of that step."""
    optimizer, params = trained()
    for _ in range(2):
        params[0].grad = torch.ones(4, 3)
        params[1].grad = params[0].detach().view(-1)[:5]
        optimizer.step()
        step(optimizer)
    assert [optimizer.state[param]["step"] for param in params] == [7.0, 7.0]


def test_copies_of_an_optimizer_tell_too():
    optimizer, _ = trained()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        step(other, 2)
        assert {type(state) for state in other.state.values()} == {TrackedState}
        (param, _) = other.param_groups[0]["params"]
        other.state[param]["ema.m"] = torch.full((4, 3), 50.0)
        before = param.detach().clone()
        step(other)
        assert (before - param.detach()).abs().max() > 1e-4
