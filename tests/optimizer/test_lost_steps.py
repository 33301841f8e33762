"""Steps that half-precision weights lose are told, once; steps that move something are not."""

import copy
import warnings

import pytest
import torch
from torch import nn

import gradwright
from gradwright.training import release

LOSING = (
    (gradwright.AdamW, {"lr": 1e-3}),
    (gradwright.Lion, {"lr": 1e-4}),
    (gradwright.ScheduleFreeAdamW, {"lr": 1e-3}),
    (gradwright.Muon, {"lr": 1e-3}),
)


class Layer(nn.Module):
    """A matrix of ones, as a gain is, and a vector of zeros, which any step moves."""

    def __init__(self, dtype, size=1.0):
        super().__init__()
        self.gain = nn.Parameter(torch.full((4, 8), size, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(8, dtype=dtype))

    def loss(self, step):
        noise = torch.randn(4, 8, generator=torch.Generator().manual_seed(step))
        return ((self.gain.float() + self.bias.float()) * (1 + noise)).sum()


def told(optimizer, model, steps=20, released=False):
    """The warnings about lost steps of a run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(steps):
            optimizer.zero_grad()
            if released:
                with release(model, optimizer, hold=0):
                    model.loss(step).backward()
            else:
                model.loss(step).backward()
            optimizer.step()
    return [str(each.message) for each in caught if "steps are lost" in str(each.message)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("recipe", "knobs"), LOSING, ids=lambda value: getattr(value, "__name__", ""))
def test_lost_steps_are_told_once(recipe, knobs, dtype):
    knobs = {**knobs, "lr": knobs["lr"] / (10 if dtype == torch.float16 else 1)}
    model = Layer(dtype)
    named = [("layer.gain", model.gain)] if recipe is gradwright.Muon else [*model.named_parameters()]
    (message,) = told(recipe(named, **knobs), model, steps=40)
    assert recipe.recipe_name in message
    assert "gain (4x8): 100%" in message
    assert "bias" not in message
    assert str(dtype).removeprefix("torch.") in message
    assert "weights='split24'" in message
    assert "weights='stochastic'" in message


def test_a_user_finds_the_warning_at_the_step():
    model = Layer(torch.bfloat16)
    optimizer = gradwright.AdamW(model.named_parameters())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(16):
            model.loss(step).backward()
            optimizer.step()
    assert [each.filename for each in caught if "steps are lost" in str(each.message)] == [__file__]


@pytest.mark.parametrize(
    ("dtype", "size", "lr"),
    [
        (torch.float32, 1.0, 1e-3),
        (torch.float32, 1.0, 1e-12),  # float32 is not watched, whatever it loses
        (torch.bfloat16, 0.02, 1e-3),
        (torch.bfloat16, 1.0, 0.1),
        (torch.bfloat16, 1.0, 0.0),  # a schedule's resting
    ],
)
def test_steps_that_move_are_not_told(dtype, size, lr):
    model = Layer(dtype, size)
    assert not told(gradwright.AdamW(model.parameters(), lr=lr), model)


def test_rows_without_a_gradient_are_no_lost_steps():
    table = nn.Parameter(torch.ones(100, 4, dtype=torch.bfloat16))
    model = nn.ParameterList([table])
    model.loss = lambda step: table[:3].float().sum()
    assert not told(gradwright.AdamW([table], lr=0.1), model)


def test_weights_that_wait_for_micro_batches_are_no_lost_steps():
    model = Layer(torch.bfloat16, 0.02)
    assert not told(gradwright.Tiger(model.parameters(), lr=0.1, accumulate=32), model)


def test_only_early_steps_are_watched():
    model = Layer(torch.bfloat16)
    optimizer = gradwright.AdamW(model.parameters(), lr=0.1)
    assert not told(optimizer, model)
    optimizer.param_groups[0]["lr"] = 1e-3
    assert not told(optimizer, model)
    assert "_seen" not in optimizer.__dict__


def test_released_steps_are_watched_too():
    model = Layer(torch.bfloat16)
    (message,) = told(gradwright.AdamW(model.named_parameters(), lr=1e-3), model, released=True)
    assert "gain" in message


def test_many_parameters_are_counted():
    model = nn.ParameterList([nn.Parameter(torch.ones(3, dtype=torch.bfloat16)) for _ in range(5)])
    model.loss = lambda step: sum(param.float().sum() for param in model)
    (message,) = told(gradwright.AdamW(model.named_parameters()), model)
    assert "In 5 of 5 parameters" in message
    assert "and 2 more" in message


def test_looking_changes_nothing():
    model = Layer(torch.bfloat16)
    optimizer = gradwright.AdamW(model.named_parameters())
    told(optimizer, model, steps=10)
    assert copy.deepcopy(optimizer).__dict__.get("_seen") is None
    assert all(set(state) == {"step", "ema.m", "precondition.v"} for state in optimizer.state.values())
