"""Optimizers that wrap another and keep things in its state: what they kept is loaded, and only into such a one."""

import pytest
import torch
from torch import nn

import gradwright as gw


class Lookahead:
    """How timm's Lookahead uses the optimizer that it wraps."""

    def __init__(self, base, alpha=0.5, k=3):
        self.base = base
        for group in base.param_groups:
            group.update(lookahead_alpha=alpha, lookahead_k=k, lookahead_step=0)

    def step(self):
        self.base.step()
        for group in self.base.param_groups:
            group["lookahead_step"] += 1
            if group["lookahead_step"] % group["lookahead_k"] == 0:
                for param in group["params"]:
                    slow = self.base.state[param].setdefault("lookahead_slow_buff", param.detach().clone())
                    slow.add_(param.detach() - slow, alpha=group["lookahead_alpha"])
                    param.data.copy_(slow)


def walk(net, optimizer, steps, first=0):
    for step in range(first, first + steps):
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        optimizer.base.zero_grad()
        net(inputs).square().mean().backward()
        optimizer.step()
    return [param.detach().clone() for param in net.parameters()]


def made(recipe):
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    return net, Lookahead(recipe(net.parameters()))


@pytest.mark.parametrize("recipe", [gw.AdamW, gw.Lion, gw.Surefoot, gw.cautious(gw.AdamW)])
def test_a_wrapped_run_goes_on_bit_for_bit(recipe, recwarn):
    straight = walk(*made(recipe), 8)
    net, optimizer = made(recipe)
    walk(net, optimizer, 4)
    saved, weights = optimizer.base.state_dict(), net.state_dict()
    again, resumed = made(recipe)
    again.load_state_dict(weights)
    resumed.base.load_state_dict(saved)
    assert all(map(torch.equal, straight, walk(again, resumed, 4, first=4)))
    assert not [str(one.message) for one in recwarn]


def test_alone_it_is_told_what_is_left_out():
    net, optimizer = made(gw.AdamW)
    walk(net, optimizer, 4)
    with pytest.warns(UserWarning, match="it is left out") as told:
        (alone := gw.AdamW(net.parameters())).load_state_dict(optimizer.base.state_dict())
    said = [str(one.message) for one in told]
    assert any("'lookahead_k'=3, which this version of AdamW does not know; it is left out" in one for one in said)
    assert any("'lookahead_slow_buff' of parameter 0, which this recipe does not keep" in one for one in said)
    assert all("lookahead_slow_buff" not in state for state in alone.state.values())


def test_what_a_wrapper_kept_has_to_fit():
    net, optimizer = made(gw.AdamW)
    walk(net, optimizer, 4)
    saved = optimizer.base.state_dict()
    saved["state"][0]["lookahead_slow_buff"] = torch.zeros(2, 2)
    with pytest.raises(ValueError, match=r"'lookahead_slow_buff' of parameter 0 has shape \(2, 2\), expected \(3, 4\)"):
        made(gw.AdamW)[1].base.load_state_dict(saved)


@pytest.mark.parametrize("name", ["SAM", "WSAM", "LookSAM"])
def test_sharpness_aware_wrappers_of_a_library(name, recwarn):
    library = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is not installed")

    def wrapped():
        torch.manual_seed(0)
        net = nn.Linear(4, 3)
        first = (net, net.parameters()) if name == "WSAM" else (net.parameters(),)
        return net, getattr(library, name)(*first, gw.AdamW)

    def run(net, optimizer, steps, first=0):
        for step in range(first, first + steps):
            inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))

            def closure(inputs=inputs):
                optimizer.zero_grad()
                loss = net(inputs).square().mean()
                loss.backward()
                return loss

            closure()
            optimizer.step(closure)
        return [param.detach().clone() for param in net.parameters()]

    straight = run(*wrapped(), 6)
    net, optimizer = wrapped()
    run(net, optimizer, 3)
    again, resumed = wrapped()
    again.load_state_dict(net.state_dict())
    resumed.load_state_dict(optimizer.state_dict())
    assert all(map(torch.equal, straight, run(again, resumed, 3, first=3)))
    assert not [str(one.message) for one in recwarn if "left out" in str(one.message)]
