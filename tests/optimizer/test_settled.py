"""Parameters that changed behind the optimizer's back are noticed, at once or soon."""

import pytest
import torch

from gradwright.optimizer.pointers import Settled


@pytest.fixture
def known():
    params = [torch.randn(4, 4) for _ in range(40)]
    states = [{} for _ in params]
    return params, dict(zip(params, states)), Settled(params, states, len(states))


def test_nothing_changed(known):
    params, state, settled = known
    assert all(settled.still(params, state) for _ in range(2 * Settled.ROUND))


@pytest.mark.parametrize("at", [0, 17, 39])
def test_other_memory_and_other_tensors_are_seen_at_once(known, at):
    params, state, settled = known
    others = [*params]
    others[at] = others[at].detach()
    assert not settled.still(others, state)
    params[at].data = params[at].clone()
    assert not settled.still(params, state)


def test_a_missing_tensor_and_a_lost_state_are_seen_at_once(known):
    params, state, settled = known
    assert not settled.still(params[:-1], state)
    assert not settled.still(params, {**state, params[0]: {}})
    assert not settled.still(params, {param: state[param] for param in params[1:]})


@pytest.mark.parametrize("change", [torch.t, lambda p: p[:2], lambda p: p.view(torch.bfloat16)[:, ::2]])
def test_other_data_in_the_same_memory_is_seen_at_the_ends_at_once_and_elsewhere_soon(known, change):
    params, state, settled = known
    for at, patience in ((17, Settled.ROUND), (39, 1), (0, 1)):
        before = params[at].data
        params[at].data = change(before)
        assert not all(settled.still(params, state) for _ in range(patience))
        params[at].data = before
