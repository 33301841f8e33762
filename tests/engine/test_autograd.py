"""Autograd learns that a kernel wrote the weights."""

import pytest
import torch

from gradwright import AdamW, Lamb, Muon
from tests.engine.pair import left_to_eager

pytestmark = pytest.mark.usefixtures("compiler")

RECIPES = pytest.mark.parametrize("recipe", [AdamW, Lamb, Muon], ids=lambda r: r.recipe_name)


@RECIPES
def test_versions_grow(recipe):
    params = [torch.ones(4, 3, requires_grad=True), torch.ones(5, 3, requires_grad=True)]
    optimizer = recipe(params, engine="cpp")
    for _ in range(2):
        before = [param._version for param in params]
        params[0].grad = torch.ones(4, 3)
        optimizer.step()
        assert params[0]._version > before[0]
        assert params[1]._version == before[1]
    assert left_to_eager(optimizer) == 0


@RECIPES
def test_a_stale_graph_is_refused(recipe):
    param = torch.ones(4, 3, requires_grad=True)
    optimizer = recipe([param], engine="cpp")
    loss = (param * param).sum()
    param.grad = torch.ones(4, 3)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_weights_stay_leaves():
    param = torch.ones(4, 3, requires_grad=True)
    optimizer = AdamW([param], engine="cpp")
    for _ in range(2):
        optimizer.zero_grad()
        param.square().sum().backward()
        optimizer.step()
    assert param.is_leaf
    assert param.requires_grad
    assert param.grad_fn is None


def test_the_state_needs_no_gradient():
    param = torch.ones(4, 3, requires_grad=True)
    optimizer = AdamW([param], engine="cpp")
    param.grad = torch.ones(4, 3, requires_grad=True)
    optimizer.step()
    assert not any(torch.is_tensor(value) and value.requires_grad for value in optimizer.state[param].values())


def test_gradients_die_with_zero_grad():
    import weakref

    param = torch.ones(4, 3, requires_grad=True)
    optimizer = AdamW([param], engine="cpp")
    param.square().sum().backward()
    optimizer.step()
    gradient = weakref.ref(param.grad)
    optimizer.zero_grad()
    assert gradient() is None
