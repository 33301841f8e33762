"""Tensors that are not plain matrices of floats: they work, or are refused by name."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.contract.asserts import close
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training, accepts, changes, copies, noise, served, snapshot, weights


@check()
def single_numbers(recipe: RecipeClass, knobs: Knobs) -> None:
    """0-d parameters train, or are refused by name."""
    _trains(recipe, knobs, noise(1, ()).requires_grad_())


@check()
def single_entries(recipe: RecipeClass, knobs: Knobs) -> None:
    """Parameters of one entry in one to four dimensions train, or are refused by name."""
    for dimensions in range(1, 5):
        _trains(recipe, knobs, noise(1, (1,) * dimensions).requires_grad_())


def _trains(recipe: RecipeClass, knobs: Knobs, param: Tensor) -> None:
    if not accepts(recipe, knobs, param):
        return
    start = param.detach().clone()
    Training(recipe, knobs, [param]).step(6)
    assert param.shape == start.shape, f"a parameter of shape {tuple(start.shape)} became {tuple(param.shape)}"
    assert bool(param.isfinite().all()), f"a parameter of shape {tuple(start.shape)} became {param.data}"
    assert not torch.equal(param.detach(), start), f"a parameter of shape {tuple(start.shape)} did not move"


@check()
def empty_tensors(recipe: RecipeClass, knobs: Knobs) -> None:
    """Parameters without entries disturb nothing: the others step and the checkpoint loads."""
    empty = [tensor for tensor in weights(((0,), (0, 3), (3, 0))) if accepts(recipe, knobs, tensor)]
    full = served(recipe, knobs, weights(((3, 4),)))
    training = Training(recipe, knobs, [*empty, *full]).step(3)
    alone = Training(recipe, knobs, copies(served(recipe, knobs, weights(((3, 4),)))))
    # the noise of a tensor depends on its place
    other = Training(recipe, knobs, [*copies(empty), *full])
    other.optimizer.load_state_dict(training.optimizer.state_dict())
    differing = changes(snapshot(training.optimizer), snapshot(other.optimizer))
    assert not differing, f"with empty tensors, a checkpoint lost {', '.join(differing)}"
    assert not torch.equal(full[0].detach(), alone.params[0].detach()), "beside empty tensors, a full one did not move"


@check()
def strided_tensors(recipe: RecipeClass, knobs: Knobs) -> None:
    """Transposed and channels-last parameters and expanded gradients step as their contiguous copies do."""
    transposed = noise(1, (4, 3), torch.float64).t().requires_grad_()
    channels_last = noise(2, (2, 3, 2, 2), torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    vector = noise(3, (10,), torch.float64)[::2].requires_grad_()
    for param in (transposed, channels_last, vector):
        plain = param.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        if not accepts(recipe, knobs, plain):
            continue
        strides = param.stride()
        odd, even = Training(recipe, knobs, [param]), Training(recipe, knobs, [plain])
        for gradient in (
            *odd.gradients(),
            *(2 * g for g in odd.gradients()),
            torch.ones((), dtype=torch.float64, device="cpu"),
        ):
            odd.step_on([gradient.expand(param.shape)])
            even.step_on([gradient.expand(param.shape).contiguous()])
        close(param.detach(), plain.detach(), f"strides {strides} changed the step")
        assert param.stride() == strides, f"a parameter with strides {strides} has {param.stride()} after stepping"


@check()
def complex_tensors(recipe: RecipeClass, knobs: Knobs) -> None:
    """A complex parameter steps as the real tensor of its parts, or is refused by name."""
    for dtype in (torch.complex64, torch.complex128):
        for shape in ((3, 4), (5,), ()):
            param = noise(5, shape, dtype).requires_grad_()
            if not accepts(recipe, knobs, param):
                continue
            real = torch.view_as_real(param.detach()).clone().requires_grad_()
            whole, parts = Training(recipe, knobs, [param]), _seen_as(recipe, knobs, param, real)
            for _ in range(6):
                gradient, loss = whole.gradients()[0], whole.loss()
                lazy = gradient.conj_physical().conj()  # as autograd may hand it over
                whole.step_on([lazy], loss)
                parts.step_on([torch.view_as_real(gradient)], loss)
            assert param.dtype == dtype, f"a {dtype} parameter became {param.dtype}"
            precision = {"rtol": 1e-5, "atol": 1e-6} if dtype == torch.complex64 else {}
            sentence = f"a {dtype} parameter of shape {shape} stepped otherwise than its real and imaginary parts"
            close(torch.view_as_real(param.detach()), real.detach(), sentence, **precision)


def _seen_as(recipe: RecipeClass, knobs: Knobs, param: Tensor, parts: Tensor) -> Training:
    """A training of the parts of a complex parameter that are known to be such: a vector of pairs is no matrix."""
    spec = recipe([param], **knobs).spec_of(param)
    training = Training(recipe, knobs, [parts])
    training.optimizer.state.clear()  # what there is was made for a tensor of one dimension more
    training.optimizer.__dict__["_specs"] = {parts: spec}
    return training


@check()
def integers_are_refused(recipe: RecipeClass, knobs: Knobs) -> None:
    """Tensors that cannot have gradients are refused by name."""
    for dtype in (torch.int64, torch.bool):
        assert not accepts(recipe, knobs, torch.ones(3, 4, dtype=dtype, device="cpu")), (
            f"a parameter of type {dtype} was taken"
        )
