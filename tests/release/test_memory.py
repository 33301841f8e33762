"""No more gradients are alive than were promised."""

import gc
import weakref

import pytest
import torch
from torch import nn

import gradwright
from gradwright.training import release
from tests.release.bowl import live_bytes

LARGEST = 64 * 64 * 4
ENGINES = ("eager", "torch", "cpp")


def deep(layers: int = 12) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(*(nn.Linear(64, 64) for _ in range(layers)))


def peak(hold: int | None, engine: str = "auto") -> int:
    model, found = deep(), []
    optimizer = gradwright.AdamW(model.parameters(), engine=engine)
    for _ in range(2):
        with live_bytes(model, found), release(model, optimizer, hold=hold):
            model(torch.ones(2, 64)).sum().backward()
        optimizer.step()
    return max(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_that_are_alive_are_those_of_the_largest_few(engine):
    model, found = deep(), []
    with live_bytes(model, found):
        model(torch.ones(2, 64)).sum().backward()
    assert max(found) == 12 * (LARGEST + 256)
    assert peak(None, engine) <= 2 * LARGEST
    assert peak(0, engine) <= 2 * LARGEST  # the one that waits and the one that comes
    assert peak(4 * LARGEST, engine) <= 5 * LARGEST


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_else_keeps_a_gradient_alive(engine):
    """Seen by the tensors themselves, since kernels could remember what they have read."""
    model = deep()
    optimizer = gradwright.AdamW(model.parameters(), engine=engine)
    gone: list[weakref.ref] = []

    def remember(param):
        gone.append(weakref.ref(param.grad))

    hooks = [param.register_post_accumulate_grad_hook(remember) for param in model.parameters()]
    for _ in range(2):
        gone.clear()
        with release(model, optimizer):
            model(torch.ones(2, 64)).sum().backward()
        alive = [ref for ref in gone if ref() is not None]
        assert 1 <= len(alive) <= 2
        del alive
        optimizer.step()
        gc.collect()
        assert not [ref for ref in gone if ref() is not None]
    for hook in hooks:
        hook.remove()


def test_state_is_what_it_was():
    """Release takes no memory beside gradients: a step allocates what lies between sweeps, not a copy of the state."""
    model = deep()
    optimizer = gradwright.AdamW(model.parameters())
    keys = {key for state in optimizer.state.values() for key in state}
    with release(model, optimizer):
        model(torch.ones(2, 64)).sum().backward()
    optimizer.step()
    assert {key for state in optimizer.state.values() for key in state} == keys
    assert all(param.grad is None for param in model.parameters())
