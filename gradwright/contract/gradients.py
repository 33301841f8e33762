"""What a step does with gradients, and what it leaves alone."""

from __future__ import annotations

import torch

from gradwright.contract.asserts import refused
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training, changes, noise, same, snapshot


@check()
def gradients_are_kept(recipe: RecipeClass, knobs: Knobs) -> None:
    """A step reads p.grad: it neither writes it nor puts another tensor there."""
    training = Training(recipe, knobs)
    for _ in range(6):
        given = training.gradients()
        kept = [gradient.clone() for gradient in given]
        training.step_on(given)
        for param, gradient, copy in zip(training.params, given, kept):
            spec = training.optimizer.spec_of(param)
            assert param.grad is gradient, f"the step replaced the gradient object of {spec}"
            assert same(gradient, copy), f"the step wrote into the gradient of {spec}"
            assert param.requires_grad, f"the step left {spec} without requires_grad"


@check()
def climbs_on_request(recipe: RecipeClass, knobs: Knobs) -> None:
    """maximize=True with g is the same, bit for bit, as minimising with -g."""
    climbing = Training(recipe, knobs, maximize=True)
    descending = Training(recipe, knobs)
    loss = torch.tensor(2.0, device="cpu")
    for _ in range(6):
        gradients = climbing.gradients()
        climbing.step_on(gradients, loss)
        descending.step_on([-gradient for gradient in gradients], loss)
    for up, down in zip(climbing.values(), descending.values()):
        assert same(up, down), f"maximize gave {up}, minus the gradient {down}"


@check()
def zero_gradients_are_harmless(recipe: RecipeClass, knobs: Knobs) -> None:
    """Gradients of zero, at the first step above all, leave finite weights and state; then training goes on."""
    training = Training(recipe, knobs)
    for _ in range(3):
        training.step_on([torch.zeros_like(param) for param in training.params])
    training.step(3)
    for param in training.params:
        found = {"the weights": param, **training.optimizer.state[param]}
        for name, value in found.items():
            finite = bool(torch.as_tensor(value, device="cpu").isfinite().all())
            assert finite, f"{name} of {training.optimizer.spec_of(param)} are {value} after zero gradients"


@check()
def zero_weights_can_leave(recipe: RecipeClass, knobs: Knobs) -> None:
    """Weights that start at zero stay finite and move."""
    training = Training(recipe, knobs)
    with torch.no_grad():
        for param in training.params:
            param.zero_()
    for value in training.step(6).values():
        assert bool(value.isfinite().all()), f"weights that started at zero are {value}"
        assert bool(value.any()), f"weights of shape {tuple(value.shape)} that started at zero are still there"


@check(rows="it takes them")
def sparse_gradients_are_refused(recipe: RecipeClass, knobs: Knobs) -> None:
    """A sparse gradient is a ValueError that names recipe, parameter and a way out; nothing has changed."""
    training = Training(recipe, knobs).step(2)
    before = snapshot(training.optimizer)
    gradients = training.gradients()
    gradients[-1] = gradients[-1].to_sparse()
    name = training.optimizer.spec_of(training.params[-1]).name
    words = recipe.recipe_name, "sparse", name
    refused(lambda: training.step_on(gradients), ValueError, "a sparse gradient", *words)
    changed = changes(before, snapshot(training.optimizer))
    assert not changed, f"a refused sparse gradient changed {', '.join(changed)}"


@check()
def closures_are_called_once(recipe: RecipeClass, knobs: Knobs) -> None:
    """step(closure) calls it once, with gradients enabled, returns its loss, and is step(loss=...) bit for bit."""
    by_closure, by_loss = Training(recipe, knobs), Training(recipe, knobs)
    for time in range(3):
        targets = [noise(time, param.shape, param.dtype) for param in by_closure.params]
        calls = []

        def closure(targets=targets, calls=calls):
            calls.append(torch.is_grad_enabled())
            return _backward(by_closure, targets)

        with torch.no_grad():
            returned = by_closure.optimizer.step(closure)
        assert calls == [True], f"the closure was called {len(calls)} times, gradients enabled: {calls}"
        loss = _backward(by_loss, targets)
        by_loss.optimizer.step(loss=loss)
        assert same(returned, loss), f"step(closure) returned {returned}, the loss was {loss}"
    differing = changes(snapshot(by_closure.optimizer), snapshot(by_loss.optimizer))
    assert not differing, f"step(closure) and step(loss=loss) differ in {', '.join(differing)}"


def _backward(training: Training, targets: list[torch.Tensor]) -> torch.Tensor:
    training.optimizer.zero_grad()
    loss = sum(
        ((p - target).square().sum() for p, target in zip(training.params, targets)), torch.tensor(0.0, device="cpu")
    )
    loss.backward()
    return loss
