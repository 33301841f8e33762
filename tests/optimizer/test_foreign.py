"""Settings of torch, timm or Lightning are taken, warned about or refused, and never ignored in silence."""

import warnings

import pytest
import torch

import gradwright
from gradwright.schedules import Linear, Warmup, lr_scheduler
from tests.optimizer.models import leaf, train

FLAGS = ("foreach", "fused", "capturable", "differentiable", "offload")


def both_ways(flag, value):
    return (
        lambda: gradwright.AdamW([leaf()], **{flag: value}),
        lambda: gradwright.AdamW([{"params": [leaf()], flag: value}]),
    )


@pytest.mark.parametrize("value", [False, None])
@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_that_is_off_is_no_news(flag, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for make in both_ways(flag, value):
            make()


@pytest.mark.parametrize("flag", FLAGS[:3])
def test_a_flag_of_speed_is_taken_with_a_warning_at_the_users_line(flag):
    for make in both_ways(flag, True):
        with pytest.warns(UserWarning, match=f"AdamW: {flag}=True has no effect") as heard:
            make()
        assert heard[0].filename == __file__


def test_differentiable_steps_are_refused_by_name():
    for make in both_ways("differentiable", True):
        with pytest.raises(ValueError, match="AdamW: differentiable=True is not supported"):
            make()


def test_state_on_another_device_is_refused_by_name():
    for make in both_ways("offload", True):
        with pytest.raises(ValueError, match=r"AdamW: offload=True.* has not been measured.*state='8bit'"):
            make()


@pytest.mark.parametrize("setting", [{"amsgrad": False}, {"nesterov": False}, {"dampening": 0.0}])
def test_what_another_method_would_do_and_shall_not_is_no_news(setting):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradwright.Lion([{"params": [leaf()], **setting}])


@pytest.mark.parametrize("setting", [{"amsgrad": True}, {"nesterov": True}, {"weight_decouple": True}])
def test_what_it_shall_do_and_this_one_does_not_is_a_warning(setting):
    (key,) = setting
    with pytest.warns(UserWarning, match=f"Lion does not use {key!r}, which a param group sets"):
        gradwright.Lion([{"params": [leaf()], **setting}])


@pytest.mark.parametrize("wrong", ["half", float("nan"), -1.0, 1j])
@pytest.mark.parametrize("key", ["lr_scale", "initial_lr", "swa_lr"])
def test_rates_that_are_none_are_refused_by_name(key, wrong):
    with pytest.raises((TypeError, ValueError), match=f"AdamW: {key}"):
        gradwright.AdamW([{"params": [leaf()], key: wrong}])


def layered():
    """Groups as timm's layer-wise decay makes them."""
    groups = [{"params": [leaf(seed=0)], "lr_scale": 0.5}, {"params": [leaf(seed=1)], "lr_scale": 1.0}]
    return gradwright.AdamW(groups, lr=0.1)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def test_each_group_whose_lr_scale_nobody_applies_is_told_once():
    groups = [{"params": [leaf(seed=seed)], "lr_scale": 0.5**seed} for seed in range(4)]
    optimizer = gradwright.AdamW(groups, lr=0.1)
    with pytest.warns(UserWarning, match="is not multiplied") as told:
        train(optimizer)
    assert len(told) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(optimizer)


def test_lr_scale_that_nobody_applies_is_a_warning_once():
    optimizer = layered()
    with pytest.warns(
        UserWarning, match=r"AdamW: a param group has lr_scale=0.5, and its lr=0.1 is not multiplied"
    ) as w:
        train(optimizer)
    assert len(w) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(optimizer)


def test_torchs_schedulers_do_not_apply_it():
    optimizer = layered()
    torch.optim.lr_scheduler.LinearLR(optimizer, 0.1)
    with pytest.warns(UserWarning, match="lr_scale=0.5, and its lr=0.01 is not multiplied"):
        train(optimizer)


def test_ours_does_and_nothing_does_it_twice():
    optimizer = layered()
    scheduler = lr_scheduler(optimizer, Linear(10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rates(optimizer) == [0.05, 0.1]
        train(optimizer)
        scheduler.step()
    assert rates(optimizer) == pytest.approx([0.045, 0.09])


def test_a_loop_that_does_what_timm_does_is_left_alone():
    optimizer = layered()
    for group in optimizer.param_groups:  # timm: param_group["lr"] = value * param_group["lr_scale"]
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * group["lr_scale"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(optimizer)
    plain = gradwright.AdamW([{"params": [leaf(seed=0)], "lr": 0.05}, {"params": [leaf(seed=1)]}], lr=0.1)
    train(plain)
    for mine, yours in zip(optimizer.param_groups, plain.param_groups):
        assert torch.equal(mine["params"][0], yours["params"][0])


def monitored(optimizer):
    """What Lightning's LearningRateMonitor reads as the momentum of each group."""
    betas = "betas" in optimizer.defaults
    return [group["betas"][0] if betas else group.get("momentum", 0) for group in optimizer.param_groups]


@pytest.mark.parametrize(
    "make",
    [
        lambda: gradwright.SGD([leaf()]),
        lambda: gradwright.SGD([leaf()], momentum=None),
        lambda: gradwright.SGD([{"params": [leaf()], "momentum": None}]),
        lambda: gradwright.Adafactor([leaf()]),
        lambda: gradwright.Optimizer([{"params": [leaf()], "recipe": "SGD"}]),
        lambda: gradwright.Optimizer([{"params": [leaf()], "recipe": "SGD"}, {"params": [leaf()], "recipe": "AdamW"}]),
        lambda: gradwright.Optimizer(
            [{"params": [leaf()], "recipe": "Adafactor"}, {"params": [leaf()], "recipe": "Muon"}]
        ),
    ],
)
def test_a_monitor_finds_a_number(make):
    assert all(isinstance(value, float) for value in monitored(make()))


@pytest.mark.parametrize("recipe", [gradwright.SGD, gradwright.Adafactor, gradwright.SM3, gradwright.Amos])
def test_none_and_zero_are_one_momentum(recipe):
    steps = []
    for momentum in (None, 0, 0.0, torch.tensor(0.0)):
        optimizer = recipe([leaf()], lr=0.1, momentum=momentum)
        train(optimizer, 3)
        state = optimizer.state[optimizer.param_groups[0]["params"][0]]
        steps.append((optimizer.param_groups[0]["params"][0].detach().clone(), set(state)))
    for weights, keys in steps[1:]:
        assert torch.equal(weights, steps[0][0])
        assert keys == steps[0][1]


def test_a_momentum_that_is_switched_on_later_makes_its_buffer_then_as_torch():
    ours, theirs = gradwright.SGD([leaf()], lr=0.1), torch.optim.SGD([leaf()], lr=0.1)
    for step in range(4):
        for optimizer in (ours, theirs):
            optimizer.param_groups[0]["momentum"] = 0.9 if step >= 2 else 0
            (param,) = optimizer.param_groups[0]["params"]
            param.grad = param.detach() - 1
            optimizer.step()
    torch.testing.assert_close(ours.param_groups[0]["params"], theirs.param_groups[0]["params"])


def test_a_schedule_for_all_covers_groups_that_join_later():
    optimizer = gradwright.AdamW([leaf(seed=0)], lr=0.1)
    scheduler = lr_scheduler(optimizer, Linear(10))
    train(optimizer)
    scheduler.step()
    optimizer.add_param_group({"params": [leaf(seed=1)], "lr": 0.2})
    train(optimizer)
    scheduler.step()
    assert rates(optimizer) == pytest.approx([0.08, 0.16])
    assert scheduler.get_last_lr() == rates(optimizer)
    saved = scheduler.state_dict()
    resumed = lr_scheduler(optimizer, Linear(10))
    resumed.load_state_dict(saved)
    train(optimizer)
    resumed.step()
    assert rates(optimizer) == pytest.approx([0.07, 0.14])


def test_a_list_of_schedules_says_how_many_are_needed():
    optimizer = gradwright.AdamW([leaf(seed=0)], lr=0.1)
    scheduler = lr_scheduler(optimizer, [Warmup(2)])
    optimizer.add_param_group({"params": [leaf(seed=1)]})
    train(optimizer)
    with pytest.raises(ValueError, match="1 schedules for 2 param groups; give one for each, that is 2, or a single"):
        scheduler.step()


def test_a_checkpoint_of_more_groups_than_there_are_is_refused():
    two, one = (gradwright.AdamW([{"params": [leaf(seed=s)]} for s in range(n)]) for n in (2, 1))
    scheduler = lr_scheduler(one, Linear(10))
    scheduler.load_state_dict(lr_scheduler(two, Linear(10)).state_dict())
    train(one)
    with pytest.raises(ValueError, match="learning rates of 2 param groups, the optimizer has 1"):
        scheduler.step()


def test_what_needs_a_momentum_takes_a_zero_on_a_schedules_way_and_no_none():
    optimizer = gradwright.SGD([leaf()], lr=0.1, momentum=0.9, nesterov=True)
    for momentum in (0.9, 0.0, 0.5):
        optimizer.param_groups[0]["momentum"] = momentum
        train(optimizer)
    for groups in ([leaf()], [{"params": [leaf()], "momentum": None}]):
        with pytest.raises(ValueError, match="SGD: nesterov=True needs momentum"):
            gradwright.SGD(groups, nesterov=True)
    with pytest.raises(ValueError, match="SGD: nesterov=True needs momentum"):
        gradwright.SGD([{"params": [leaf()], "nesterov": True}])
