"""Parameters of lazy modules: taken before they have a shape, passed over while they have none, served from then on."""

import copy
import pickle

import pytest
import torch

import gradwright as gw
from gradwright.contract.training import noise
from tests.contract.table import COMBINED, PLAIN

BATCH = noise(3, (5, 6))


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.LazyLinear(4, bias=False), torch.nn.Tanh(), torch.nn.Linear(4, 4, bias=False))


def train(net, optimizer, steps=2):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = net(BATCH).square().mean()
        loss.backward()
        optimizer.step(loss=loss.detach())


@pytest.mark.parametrize("row", PLAIN + COMBINED, ids=lambda row: row.recipe.recipe_name)
def test_a_lazy_parameter_steps_as_one_that_was_there_at_first(row):
    lazy = model()
    early = row.recipe(lazy.parameters(), engine="eager", **row.knobs)
    lazy(BATCH)
    made = copy.deepcopy(lazy)
    late = row.recipe(made.parameters(), engine="eager", **row.knobs)
    train(lazy, early)
    train(made, late)
    for one, other in zip(lazy.parameters(), made.parameters()):
        assert torch.equal(one, other)
    assert len(early.state_dict()["state"]) == 2


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_a_step_passes_over_what_has_no_shape(engine):
    net = model()
    optimizer = gw.AdamW(net.named_parameters(), engine=engine)
    net[2].weight.grad = torch.ones(4, 4)
    before = net[2].weight.detach().clone()
    optimizer.step()
    assert not torch.equal(net[2].weight, before)
    assert list(optimizer.state_dict()["state"]) == [1]
    assert "2 tensors, 16 numbers, 1 without a shape yet" in repr(optimizer)
    assert "16 numbers" in optimizer.explain()
    optimizer.load_state_dict(optimizer.state_dict())
    with optimizer.evaluating():
        pass
    train(net, optimizer, 1)
    assert optimizer.state[net[0].weight]["step"] == 1
    assert optimizer.state[net[2].weight]["step"] == 2


def test_a_recipe_refuses_by_name_what_it_cannot_serve_once_that_has_a_shape():
    net = torch.nn.Sequential(torch.nn.LazyLinear(4))
    optimizer = gw.Muon(net.named_parameters())
    with pytest.raises(RuntimeError, match=r"Muon: .*0.bias \(4\) is not a matrix"):
        train(net, optimizer)


def test_bound_recipes_copies_and_pickles():
    net = model()
    bound = gw.Muon.bind(lr=0.1)(net.parameters())
    for optimizer in (copy.deepcopy(bound), pickle.loads(pickle.dumps(bound))):
        assert len(optimizer.param_groups[0]["params"]) == 2
    train(net, bound)
    assert bound.state[net[0].weight]["step"] == 2


def test_state_of_a_parameter_without_a_shape_is_refused_and_loads_when_it_has_one():
    net = model()
    trained = gw.AdamW(net.parameters())
    train(net, trained)
    fresh = model()
    optimizer = gw.AdamW(fresh.parameters())
    with pytest.raises(ValueError, match="state_dict holds state of 0, a parameter that has no shape yet"):
        optimizer.load_state_dict(trained.state_dict())
    fresh(BATCH)
    optimizer.load_state_dict(trained.state_dict())
    assert optimizer.state[fresh[0].weight]["step"] == 2


def test_routing_makes_lazy_modules_where_it_has_example_inputs():
    net = model()
    optimizer = gw.route(net, {"matrix & !head": gw.Muon, "*": gw.AdamW}, example_inputs=BATCH)
    assert [group["param_names"] for group in optimizer.param_groups] == [["0.weight"], ["2.weight"]]
    assert net.training
    with pytest.raises(ValueError, match="or give example_inputs"):
        gw.route(model(), {"*": gw.AdamW})


def test_the_same_lazy_parameter_twice_is_refused():
    weight = torch.nn.UninitializedParameter()
    with pytest.raises(ValueError, match="AdamW: parameter 1, a lazy one, is given twice"):
        gw.AdamW([weight, weight])
