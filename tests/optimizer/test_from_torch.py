"""A run begun with torch.optim goes on with the recipe of the same name."""

import copy

import pytest
import torch

import gradwright

ROWS = [
    (torch.optim.SGD, gradwright.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, {}),
    (torch.optim.Adam, gradwright.Adam, {"lr": 0.01, "weight_decay": 0.1}, {}),
    (torch.optim.AdamW, gradwright.AdamW, {"lr": 0.01}, {}),
    (torch.optim.AdamW, gradwright.AdamW, {"lr": 0.01, "amsgrad": True, "betas": (0.8, 0.5)}, {}),
    (torch.optim.NAdam, gradwright.NAdam, {"lr": 0.01}, {}),
    (torch.optim.Adafactor, gradwright.Adafactor, {"lr": 0.01, "eps": (1e-12, 1e-3)}, {"form": "torch"}),
]


@pytest.mark.parametrize(("theirs", "ours", "knobs", "form"), ROWS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_checkpoint_of_torch_is_gone_on_from(theirs, ours, knobs, form):
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 2)).double()
    before = theirs(model.parameters(), **knobs)
    for seed in range(4):
        train(model, before, seed)
    twin = copy.deepcopy(model)
    # the loaded learning rate counts, not the one it was built with
    after = ours(twin.parameters(), **{**knobs, **form, "lr": 123.0})
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    assert after.param_groups[0]["lr"] == knobs["lr"]
    for seed in range(4, 8):
        train(model, before, seed)
        train(twin, after, seed)
    # torch keeps NAdam's running product in float32, whatever the parameters are
    rtol = 1e-6 if theirs is torch.optim.NAdam else 1e-12
    for expected, found in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(found, expected, rtol=rtol, atol=1e-14)


def test_a_recipe_that_torch_does_not_have_refuses_its_checkpoints():
    model = torch.nn.Linear(3, 2)
    before = torch.optim.AdamW(model.parameters())
    train(model, before, 0)
    lion = gradwright.Lion(model.parameters())
    with pytest.raises(ValueError, match="Lion reads no other library's"):
        lion.load_state_dict(before.state_dict())


def train(model, optimizer, seed):
    batch = torch.randn(8, next(model.parameters()).shape[1], generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(batch.to(next(model.parameters()))).square().mean().backward()
    optimizer.step()
