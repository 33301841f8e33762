"""Scales and clips: what can be done to a gradient that does not wait for the others, and what is refused."""

import sys

import pytest
import torch
from torch import nn

import gradwright
from gradwright.training import release
from tests.release.bowl import bowl, letting, same, trained

SGD = (gradwright.SGD, {"lr": 0.05, "momentum": 0.9})


def by_hand(change, steps=5, lasting=None):
    """Training whose gradients are changed in place before each step."""
    model = bowl(*SGD)
    optimizer = gradwright.SGD(model.parameters(), **SGD[1])
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    for batch in range(steps):
        optimizer.zero_grad()
        model(batch).backward()
        change(batch, [param.grad for param in model.params])
        optimizer.step()
        schedule.step()
    return model


def close(model, other):
    for param, its in zip(model.params, other.params):
        torch.testing.assert_close(param, its, rtol=1e-5, atol=1e-6)


def test_clips_by_tensor_are_exact():
    def clip(batch, grads):
        for grad in grads:
            nn.utils.clip_grad_norm_([grad_holder(grad)], 0.5)

    def grad_holder(grad):
        holder = nn.Parameter(grad)
        holder.grad = grad
        return holder

    released, _ = trained(*SGD, within=letting(0, clip_norm=0.5))
    close(released, by_hand(clip))


def test_clips_by_the_norm_before():
    norms = []

    def clip(batch, grads):
        norms.append(torch.stack([grad.double().square().sum() for grad in grads]).sum().sqrt().item())
        for grad in grads:
            norm = grad.norm().item() if batch == 0 else norms[batch - 1]
            grad.mul_(min(1.0, 0.5 / norm))

    released, _ = trained(*SGD, within=letting(0, clip_norm=0.5, clip_by="previous"))
    close(released, by_hand(clip))
    assert max(norms) > 0.5


def test_the_norm_before_can_be_kept_for_later():
    model = bowl(*SGD)
    optimizer = gradwright.SGD(model.parameters(), **SGD[1])
    released = release(model, optimizer, clip_norm=0.5, clip_by="previous", scale=4.0)
    assert released.norm is None
    (4 * model(0)).backward()
    optimizer.step()
    fresh = bowl(*SGD)
    expected = torch.cat([grad.flatten() for grad in torch.autograd.grad(fresh(0), list(fresh.params))]).norm()
    assert released.norm == pytest.approx(float(expected), rel=1e-5)
    released.norm = 2.0
    assert released.norm == 2.0
    with pytest.raises(TypeError, match="norm="):
        released.norm = "much"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_scale_that_is_a_power_of_two_changes_no_bit(dtype):
    plain = trained(*SGD, dtype=dtype)
    model = bowl(*SGD, dtype)
    optimizer = gradwright.SGD(model.named_parameters(), **SGD[1])
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    for batch in range(5):
        with release(model, optimizer, scale=1024.0):
            (1024 * model(batch)).backward()
        optimizer.step()
        schedule.step()
    assert same(plain, (model, optimizer))


def test_a_scale_keeps_small_gradients_in_float16():
    def moved(scale):
        param = nn.Parameter(torch.zeros(8, dtype=torch.float16))
        model = nn.ParameterList([param])
        optimizer = gradwright.SGD(model.parameters(), lr=1e6)
        with release(model, optimizer, scale=scale):
            (param.float() * 1e-9 * scale).sum().backward()
        optimizer.step()
        return param.float()

    assert not moved(1.0).any()
    torch.testing.assert_close(moved(2.0**16), torch.full((8,), -1e-3), rtol=1e-2, atol=0)


def test_parameters_without_hooks_have_the_same_terms():
    model, other = bowl(*SGD), nn.Parameter(torch.ones(2))
    optimizer = gradwright.SGD([*model.parameters(), other], lr=0.1)
    with release(model, optimizer, scale=8.0):
        (8 * (model(0) + other.sum())).backward()
    optimizer.step()
    torch.testing.assert_close(other.detach(), torch.full((2,), 0.9))


def clip(model, optimizer):
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def clip_values(model, optimizer):
    nn.utils.clip_grad_value_(model.parameters(), 0.1)
    optimizer.step()


def scaler(model, optimizer):
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    scaler.step(optimizer)


@pytest.mark.parametrize("change", [clip, clip_values, scaler])
def test_gradients_that_are_changed_afterwards_are_refused(change):
    model = bowl(*SGD)
    optimizer = gradwright.SGD(model.parameters(), **SGD[1])
    with release(model, optimizer):
        model(0).backward()
    with pytest.raises(RuntimeError, match=r"was changed after backward|a GradScaler may find") as refusal:
        change(model, optimizer)
    assert "release(scale=...)" in str(refusal.value)


def test_a_scaler_in_step_is_refused():
    model = bowl(*SGD)
    optimizer = gradwright.SGD(model.parameters(), **SGD[1])
    with release(model, optimizer), pytest.raises(RuntimeError, match="a fixed scale"):
        optimizer.step(lambda: model(0), scaler=torch.amp.GradScaler("cpu"))
    assert all(param.grad is None for param in model.params)


def test_other_terms_in_the_middle_of_a_step_are_refused():
    model = bowl(*SGD)
    optimizer = gradwright.SGD(model.parameters(), **SGD[1])
    with release(model, optimizer):
        model(0).backward()
    with pytest.raises(RuntimeError, match="other terms"):
        release(model, optimizer, scale=2.0)
    with release(model, optimizer, hold=5):  # which are no terms
        pass
    optimizer.step()
    with release(model, optimizer, scale=2.0):
        pass


class DataParallel(nn.parallel.DistributedDataParallel):
    def __init__(self, module):
        nn.Module.__init__(self)
        self.module = module


def refusals():
    model = nn.Linear(2, 2)
    optimizer = gradwright.AdamW(model.parameters())
    yield TypeError, "torch.optim.*AdamW is no optimizer of gradwright", (model, torch.optim.AdamW(model.parameters()))
    yield TypeError, "model is a generator", (model.parameters(), optimizer)
    yield ValueError, "no parameter of the model", (nn.Linear(2, 2), optimizer)
    yield ValueError, "DataParallel averages gradients", (nn.DataParallel(model), optimizer)
    yield ValueError, "DistributedDataParallel averages gradients", (DataParallel(model), optimizer)
    lazy = nn.LazyLinear(2)
    yield ValueError, "run a batch through it first", (lazy, gradwright.AdamW(lazy.parameters()))
    for terms, kind, message in (
        ({"scale": 0.0}, ValueError, "scale=0 must be greater than 0"),
        ({"scale": "16"}, TypeError, "scale='16'"),
        ({"clip_norm": -1.0}, ValueError, "clip_norm=-1 must be greater"),
        ({"clip_by": "all"}, ValueError, "clip_by='all' is unknown; known are tensor, previous"),
        ({"hold": -1}, ValueError, "hold=-1 is negative"),
        ({"hold": 1.5}, TypeError, "hold=1.5"),
    ):
        yield kind, message, (model, optimizer, terms)


@pytest.mark.parametrize(("kind", "message", "given"), list(refusals()))
def test_bad_input_is_named_and_changes_nothing(kind, message, given):
    model, optimizer, *terms = given
    with pytest.raises(kind, match=message):
        release(model, optimizer, **(terms[0] if terms else {}))
    if isinstance(model, nn.Module):
        assert not any(param._post_accumulate_grad_hooks for param in model.parameters())


def test_a_second_release_of_an_optimizer_is_refused():
    model = bowl(*SGD)
    optimizer = gradwright.SGD(model.parameters(), **SGD[1])
    with release(model, optimizer), pytest.raises(RuntimeError, match="released already"):
        release(model, optimizer)
    release(model, optimizer).remove()


def test_clipped_recipes_are_shown_the_way_out():
    model = bowl(*SGD)
    optimizer = gradwright.clipped(gradwright.SGD)(model.parameters())
    with pytest.raises(ValueError, match=r"gradient_norm2 of all parameters.*release\(clip_norm="):
        release(model, optimizer)


def test_a_total_that_shows_only_in_the_step_is_refused_there():
    """What a trial did not see is found by the step, before anything is written."""
    from gradwright.core import Total, Transform, chain
    from gradwright.core.ops import total

    class Late(Transform):
        def update(self, u, state, ctx):
            if ctx.spec.numel == 7:
                yield Total("late", total(u))
            return u, state

    @gradwright.recipe(traits="reduces")
    def LateTotals(lr: float = 0.1):
        """Asks for a total where a tensor has seven entries."""
        from gradwright.transforms import Scale

        return chain(Late(), Scale(lr))

    param = nn.Parameter(torch.ones(7))
    optimizer = LateTotals([param], engine="eager")
    with release(nn.ParameterList([param]), optimizer, hold=0):
        (param * param).sum().backward()
        with pytest.raises(RuntimeError, match="the total 'late' over all parameters"):
            optimizer.window.flush()
    assert torch.equal(param, torch.ones(7))


def test_ranks_and_shards_are_refused(monkeypatch):
    from gradwright.training import release as function

    module = sys.modules[function.__module__]
    model = nn.Linear(2, 2)
    optimizer = gradwright.AdamW(model.parameters())
    with monkeypatch.context() as patched:
        patched.setattr(module.dist, "is_initialized", lambda: True)
        patched.setattr(module.dist, "get_world_size", lambda: 4)
        with pytest.raises(ValueError, match="4 ranks hold a copy of this model"):
            release(model, optimizer)
    with monkeypatch.context() as patched:
        patched.setattr(module, "is_spread", lambda tensor: True)
        with pytest.raises(ValueError, match="the model has distributed tensors"):
            release(model, optimizer)
    release(model, optimizer).remove()
