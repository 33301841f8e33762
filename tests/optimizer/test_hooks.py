"""Hooks run once each, and may change what they are given."""

import pytest
import torch

import gradwright
from gradwright.contract.training import changes, snapshot
from tests.optimizer.models import leaf, train


@pytest.fixture(params=["recipe", "several"])
def optimizer(request):
    if request.param == "recipe":
        return gradwright.AdamW([leaf(seed=1), leaf(seed=2)])
    return gradwright.Optimizer(
        [{"params": [leaf(seed=1)], "recipe": "AdamW"}, {"params": [leaf(seed=2)], "recipe": "Lion"}]
    )


def test_step_hooks_run_once_around_each_step(optimizer):
    heard = []
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: heard.append(("before", opt is optimizer)))
    optimizer.register_step_post_hook(lambda opt, args, kwargs: heard.append(("after", opt is optimizer)))
    train(optimizer, 2)
    assert heard == [("before", True), ("after", True)] * 2


def test_a_removed_hook_is_silent(optimizer):
    heard = []
    handle = optimizer.register_step_pre_hook(lambda *_: heard.append(1))
    handle.remove()
    train(optimizer)
    assert not heard


def test_a_hook_before_the_step_may_change_its_arguments():
    hooked, plain = gradwright.AdaLo([leaf()]), gradwright.AdaLo([leaf()])
    hooked.register_step_pre_hook(lambda opt, args, kwargs: (args, {**kwargs, "loss": torch.tensor(7.0)}))
    for optimizer, loss in ((hooked, 1.0), (plain, 7.0)):
        param = optimizer.param_groups[0]["params"][0]
        param.grad = torch.ones_like(param)
        optimizer.step(loss=torch.tensor(loss))
    assert not changes(snapshot(plain), snapshot(hooked))


def test_a_hook_may_change_the_gradients(optimizer):
    before = snapshot(optimizer)
    params = [param for group in optimizer.param_groups for param in group["params"]]

    def forget(opt, args, kwargs):
        for param in params:
            param.grad = None

    optimizer.register_step_pre_hook(forget)
    train(optimizer)
    moved = [name for name in changes(before, snapshot(optimizer)) if "clock" not in name]
    assert not moved


def test_state_dict_hooks_run_once_and_may_replace_the_answer(optimizer):
    heard = []
    optimizer.register_state_dict_pre_hook(lambda opt: heard.append("before"))
    optimizer.register_state_dict_post_hook(lambda opt, found: {**found, "note": heard.append("after")})
    assert "note" in optimizer.state_dict()
    assert heard == ["before", "after"]


def test_load_hooks_run_once_and_may_replace_what_is_loaded(optimizer):
    train(optimizer, 2)
    saved, heard = optimizer.state_dict(), []

    def slower(opt, state_dict):
        heard.append("before")
        groups = [{**group, "lr": 0.25} for group in state_dict["param_groups"]]
        return {**state_dict, "param_groups": groups}

    optimizer.register_load_state_dict_pre_hook(slower)
    optimizer.register_load_state_dict_post_hook(lambda opt: heard.append("after"))
    optimizer.load_state_dict(saved)
    assert heard == ["before", "after"]
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
    assert saved["param_groups"][0]["lr"] != 0.25


def test_a_closure_runs_inside_the_hooks():
    optimizer, heard = gradwright.SGD([leaf()]), []
    optimizer.register_step_pre_hook(lambda *_: heard.append("before"))
    optimizer.register_step_post_hook(lambda *_: heard.append("after"))
    optimizer.step(lambda: heard.append("closure"))
    assert heard == ["before", "closure", "after"]
