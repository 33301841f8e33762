"""Around a released backward: step(), schedulers, checkpoints, parameters that are left, and failures."""

import copy

import pytest
import torch
from torch import nn

import gradwright
from gradwright.training import release
from tests.release.bowl import bowl, letting, same, trained

ADAMW = (gradwright.AdamW, {"lr": 0.01})


def started(**knobs):
    model = bowl(gradwright.AdamW, {})
    return model, gradwright.AdamW(model.named_parameters(), **{"lr": 0.01, **knobs})


def ages(model, optimizer):
    return [optimizer.state[param]["step"] for param in model.params]


def test_a_lasting_release_is_a_hook_that_can_be_removed():
    plain = trained(*ADAMW, steps=4)
    model, optimizer = started()
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    released = release(model, optimizer)
    for batch in range(4):
        if batch == 3:
            released.remove()
            released.remove()
        model(batch).backward()
        assert all(param.grad is not None for param in model.params) == (batch == 3)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    assert same(plain, (model, optimizer))


def test_all_but_the_last_have_moved_before_step():
    model, optimizer = started()
    before = [param.detach().clone() for param in model.params]
    with release(model, optimizer, hold=0):
        model(0).backward()
    waiting = [param for param in model.params if param.grad is not None]
    assert len(waiting) == 1
    moved = [not torch.equal(param, old) for param, old in zip(model.params, before)]
    assert sum(moved) == len(before) - 1
    assert optimizer.param_groups[0]["clock"] == 0
    optimizer.step()
    assert optimizer.param_groups[0]["clock"] == 1
    assert ages(model, optimizer) == [1.0] * len(before)


def test_step_takes_what_has_no_hook():
    model, optimizer = started()
    other = nn.Parameter(torch.ones(3))
    optimizer.add_param_group({"params": [("other", other)]})
    with release(model, optimizer):
        (model(0) + (other * other).sum()).backward()
    assert other.grad is not None
    assert torch.equal(other, torch.ones(3))
    optimizer.step()
    assert not torch.equal(other, torch.ones(3))
    assert other.grad is not None
    assert optimizer.state[other]["step"] == 1


def test_parameters_without_a_gradient_stay():
    model, optimizer = started()
    with release(model, optimizer):
        sum(param.square().sum() for param in model.params[::2]).backward()
    optimizer.step()
    assert ages(model, optimizer) == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]


def test_frozen_parameters_and_other_models_keep_their_gradients():
    model, optimizer = started()
    model.params[0].requires_grad_(False)
    stranger = nn.Linear(2, 2)
    with release(nn.ModuleList([model, stranger]), optimizer):
        (model(0) + stranger(torch.ones(2)).sum()).backward()
    optimizer.step()
    assert stranger.weight.grad is not None
    assert ages(model, optimizer)[1:] == [1.0] * 6


def test_a_checkpoint_resumes_bitwise():
    def released_steps(model, optimizer, batches):
        for batch in batches:
            with release(model, optimizer):
                model(batch).backward()
            optimizer.step()

    model, optimizer = started()
    released_steps(model, optimizer, range(3))
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    released_steps(model, optimizer, range(3, 6))
    resumed, other = started()
    resumed.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    released_steps(resumed, other, range(3, 6))
    assert same((model, optimizer), (resumed, other))


def test_a_second_backward_before_a_step_is_named():
    model, optimizer = started()
    with release(model, optimizer):
        model(0).backward()
    with release(model, optimizer), pytest.raises(RuntimeError, match=r"params\.\d .*second gradient before") as caught:
        model(1).backward()
    assert "optimizer.step() after each backward" in str(caught.value)
    optimizer.step()
    optimizer.zero_grad()
    with release(model, optimizer):
        model(1).backward()
    optimizer.step()
    assert optimizer.param_groups[0]["clock"] == 2


def test_several_backwards_of_different_parameters_are_one_step():
    plain_model, plain = started()
    model, optimizer = started()
    for some in (slice(0, 3), slice(3, None)):
        sum(param.square().sum() for param in plain_model.params[some]).backward()
        with release(model, optimizer):
            sum(param.square().sum() for param in model.params[some]).backward()
    plain.step()
    optimizer.step()
    assert same((plain_model, plain), (model, optimizer))


class Breaks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise ArithmeticError("the backward of a layer")


def half_broken(model):
    """The first three parameters get their gradient, then backward fails."""
    loss = Breaks.apply(sum(param.square().sum() for param in model.params[3:]))
    return loss + 1e3 * sum(param.square().sum() for param in model.params[:3])


def failed(within_lasting=False):
    model, optimizer = started()
    model(0).backward()
    optimizer.step()
    optimizer.zero_grad()
    loss = half_broken(model)
    with pytest.raises(ArithmeticError, match="the backward of a layer") as caught, release(model, optimizer, hold=0):
        loss.backward()
    return model, optimizer, caught.value


def test_a_failing_backward_says_how_far_the_step_came():
    model, optimizer, error = failed()
    (note,) = error.__notes__
    stepped = sum(age == 2 for age in ages(model, optimizer))
    waiting = sum(param.grad is not None for param in model.params)
    assert f"{stepped} parameters had moved already, {waiting} parameters had not" in note
    assert "optimizer.step() uses the gradients that are there" in note


@pytest.mark.parametrize("way", ["step", "zero_grad"])
def test_after_a_failing_backward_training_goes_on(way):
    model, optimizer, _ = failed()
    optimizer.step() if way == "step" else optimizer.zero_grad()
    assert all(param.grad is None for param in model.params)
    before = ages(model, optimizer)
    with release(model, optimizer):
        model(1).backward()
    optimizer.step()
    assert ages(model, optimizer) == [age + 1 for age in before]


def test_abandon_begins_anew():
    model, optimizer = started()
    released = release(model, optimizer, hold=0)
    model(0).backward()
    released.abandon()
    assert all(param.grad is None for param in model.params)
    model(1).backward()
    optimizer.step()
    assert sorted(ages(model, optimizer)) == [1.0] + [2.0] * 6


def test_a_checkpoint_of_half_a_step_is_refused():
    model, optimizer = started()
    with release(model, optimizer):
        model(0).backward()
    with pytest.raises(RuntimeError, match="state_dict\\(\\) in the middle of a step"):
        optimizer.state_dict()
    optimizer.step()
    assert optimizer.state_dict()


def test_copies_of_an_optimizer_are_not_released():
    model, optimizer = started()
    with release(model, optimizer):
        model(0).backward()
    assert copy.deepcopy(optimizer).window is None


def test_evaluation_weights_in_place_are_refused():
    model, optimizer = trained(gradwright.ScheduleFreeAdamW, {})
    optimizer.eval()
    with release(model, optimizer, hold=0), pytest.raises(RuntimeError, match=r"optimizer\.train\(\)"):
        model(0).backward()
    optimizer.zero_grad()
    optimizer.train()
    with release(model, optimizer):
        model(0).backward()
    optimizer.step()


def test_routed_models_are_released():
    def run(within):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Embedding(7, 8), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 7))
        optimizer = gradwright.build("Muon", model, lr=0.01)
        for batch in range(4):
            tokens = (torch.arange(6) + batch) % 7
            with within(model, optimizer):
                nn.functional.cross_entropy(model(tokens), tokens).backward()
            optimizer.step()
            optimizer.zero_grad()
        return [param.detach().clone() for param in model.parameters()]

    plain, released = run(lambda model, optimizer: torch.enable_grad()), run(letting(0))
    assert all(torch.equal(one, other) for one, other in zip(plain, released))


def test_closures_may_go_backward_in_a_released_step():
    plain = trained(*ADAMW, steps=3)
    model, optimizer = started()
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    with release(model, optimizer):
        for batch in range(3):

            def closure(batch=batch):
                optimizer.zero_grad()
                loss = model(batch)
                loss.backward()
                return loss

            assert optimizer.step(closure) > 0
            schedule.step()
    assert same(plain, (model, optimizer))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64])
def test_types_step_as_without_release(dtype):
    assert same(trained(*ADAMW, dtype=dtype), trained(*ADAMW, dtype=dtype, within=letting(0)))


def test_gradients_in_several_threads_wait_for_each_other():
    """Backwards of two graphs at once, as autograd has them for two devices."""
    from concurrent.futures import ThreadPoolExecutor

    plain_model, plain = started()
    model, optimizer = started()
    for batch in range(5):
        plain_model(batch).backward()
        plain.step()
        plain.zero_grad()
        losses = [0.0, 0.0]
        whole = model(batch)
        assert whole.requires_grad
        targets = [param.detach() - grad for param, grad in zip(model.params, torch.autograd.grad(whole, model.params))]
        for index, (param, target) in enumerate(zip(model.params, targets)):
            losses[index % 2] = losses[index % 2] + (param * (param.detach() - target)).sum()
        with release(model, optimizer, hold=0), ThreadPoolExecutor(2) as threads:
            list(threads.map(torch.Tensor.backward, losses))
        optimizer.step()
    assert ages(model, optimizer) == ages(plain_model, plain)
    for param, other in zip(model.params, plain_model.params):
        torch.testing.assert_close(param, other, rtol=1e-4, atol=1e-5)
