"""The loss: where it comes from, where it is needed, and what happens without it."""

import pytest
import torch

import gradwright
from gradwright import AdaLo, AdamW
from gradwright.contract.training import changes, snapshot
from tests.optimizer.models import leaf, train


def _ready(recipe, **knobs):
    optimizer = recipe([leaf(seed=1), leaf(5, seed=2)], **knobs)
    train(optimizer, 2)
    for param in optimizer.param_groups[0]["params"]:
        param.grad = torch.ones_like(param)
    return optimizer


def test_without_a_loss_adalo_says_how_to_give_it_and_nothing_changes():
    optimizer = _ready(AdaLo)
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match=r"AdaLo needs the loss: call step\(loss=loss\).*closure.*GradScaler"):
        optimizer.step()
    assert not changes(before, snapshot(optimizer))


def test_one_group_that_needs_the_loss_holds_back_all():
    first, second = leaf(seed=1), leaf(seed=2)
    optimizer = gradwright.Optimizer([{"params": [first], "recipe": "AdamW"}, {"params": [second], "recipe": "AdaLo"}])
    first.grad = second.grad = torch.ones(3, 4)
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match="AdaLo needs the loss"):
        optimizer.step()
    assert not changes(before, snapshot(optimizer))


def test_a_closure_that_returns_nothing_is_no_loss():
    optimizer = _ready(AdaLo)
    with pytest.raises(ValueError, match="AdaLo needs the loss"):
        optimizer.step(lambda: None)


@pytest.mark.parametrize("loss", [torch.ones(2), [1.0, 2.0], torch.ones(0)])
def test_a_loss_of_several_numbers(loss):
    optimizer = _ready(AdaLo)
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match=r"the loss has shape \([02],\); give one number, such as loss.mean\(\)"):
        optimizer.step(loss=loss)
    assert not changes(before, snapshot(optimizer))


@pytest.mark.parametrize("loss", ["1.0", (torch.ones(()), torch.ones(2)), {"loss": 1.0}])
def test_a_loss_that_is_no_number(loss):
    optimizer = _ready(AdaLo)
    before = snapshot(optimizer)
    with pytest.raises(TypeError, match=r"the loss is a (str|tuple|dict); give one number"):
        optimizer.step(loss=loss)
    assert not changes(before, snapshot(optimizer))


@pytest.mark.parametrize("loss", [2, 2.0, torch.tensor(2.0), torch.tensor([[2.0]]), torch.tensor(2.0).bfloat16()])
def test_losses_of_every_form(loss):
    expected, found = _ready(AdaLo), _ready(AdaLo)
    expected.step(loss=torch.tensor(2.0, dtype=torch.float64))
    found.step(loss=loss)
    assert not changes(snapshot(expected), snapshot(found))


def test_a_loss_with_a_graph_is_not_kept():
    optimizer = _ready(AdaLo)
    param = optimizer.param_groups[0]["params"][0]
    optimizer.step(loss=param.square().sum())
    assert not any(torch.is_tensor(value) and value.requires_grad for value in optimizer.state[param].values())


def test_a_closure_and_a_loss():
    optimizer = _ready(AdamW)
    with pytest.raises(TypeError, match="names the loss twice"):
        optimizer.step(lambda: torch.ones(()), loss=torch.ones(()))


def test_recipes_that_need_no_loss_take_one():
    expected, found = _ready(AdamW), _ready(AdamW)
    expected.step()
    found.step(loss=1.0)
    assert not changes(snapshot(expected), snapshot(found))


def test_recipes_that_need_no_loss_do_not_look_at_what_a_closure_returns():
    optimizer = _ready(AdamW)
    answer = {"loss": torch.ones(3), "accuracy": 0.5}
    assert optimizer.step(lambda: answer) is answer


def test_a_closure_that_fails_changes_nothing():
    optimizer = _ready(AdamW)
    before = snapshot(optimizer)
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    assert not changes(before, snapshot(optimizer))


def test_on_unscaled_needs_a_scaler():
    with pytest.raises(TypeError, match=r"on_unscaled.*needs scaler="):
        _ready(AdamW).step(lambda: torch.ones(()), on_unscaled=lambda: None)


def test_a_scaler_needs_a_closure():
    with pytest.raises(TypeError, match=r"scaler=.*needs a closure.*scaler.step\(optimizer\)"):
        _ready(AdamW).step(scaler=torch.amp.GradScaler("cpu"))


@pytest.mark.parametrize(("answer", "word"), [(None, "NoneType"), (1.0, "float"), (torch.ones(()), "without a graph")])
def test_with_a_scaler_the_closure_returns_a_loss_to_go_backward_from(answer, word):
    optimizer = _ready(AdamW)
    before = snapshot(optimizer)
    with pytest.raises(TypeError, match=f"the closure returns the loss and calls no backward.*{word}"):
        optimizer.step(lambda: answer, scaler=torch.amp.GradScaler("cpu"))
    assert not changes(before, snapshot(optimizer))


def test_a_disabled_scaler_is_no_scaler():
    plain, scaled = _ready(AdaLo), _ready(AdaLo)
    for optimizer, scaler in ((plain, None), (scaled, torch.amp.GradScaler("cpu", enabled=False))):

        def closure(optimizer=optimizer, scaler=scaler):
            optimizer.zero_grad()
            loss = sum((p.square().sum() for p in optimizer.param_groups[0]["params"]), torch.zeros(()))
            if scaler is None:
                loss.backward()
            return loss

        optimizer.step(closure, scaler=scaler)
    assert not changes(snapshot(plain), snapshot(scaled))
