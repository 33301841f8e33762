"""Gradient scaling: through torch's scaler, and through step(closure, scaler=...)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training, changes, same, snapshot

SCALE = 1024.0
"""A power of two, so that scaling and unscaling leave every bit."""


def _scaler() -> torch.amp.GradScaler:
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    scaler.scale(torch.zeros((), device="cpu"))  # it makes its scale when first used
    return scaler


@check()
def scalers_drive_it(recipe: RecipeClass, knobs: Knobs) -> None:
    """GradScaler.step(optimizer, loss=loss) is the plain step bit for bit, and a skip where a gradient is infinite."""
    plain, scaled, scaler = Training(recipe, knobs), Training(recipe, knobs), _scaler()
    for _ in range(3):
        gradients, loss = plain.gradients(), plain.loss()
        plain.step_on(gradients, loss)
        _scaled_step(scaled, scaler, [SCALE * gradient for gradient in gradients], loss)
    differing = changes(snapshot(plain.optimizer), snapshot(scaled.optimizer))
    assert not differing, f"through a GradScaler, these differ: {', '.join(differing)}"
    gradients = scaled.gradients()
    gradients[0] = torch.full_like(gradients[0], torch.inf)
    before = snapshot(scaled.optimizer)
    _scaled_step(scaled, scaler, gradients, scaled.loss())
    changed = changes(before, snapshot(scaled.optimizer))
    assert not changed, f"a step that the scaler skips changed {', '.join(changed)}"


def _scaled_step(training: Training, scaler: Any, gradients: list[Tensor], loss: Tensor) -> None:
    for param, gradient in zip(training.params, gradients):
        param.grad = gradient
    scaler.step(training.optimizer, loss=loss)
    scaler.update()


@check()
def closures_can_be_scaled(recipe: RecipeClass, knobs: Knobs) -> None:
    """step(closure, scaler=...) is step(closure) bit for bit; it clips where told and runs each hook once."""
    plain, scaled, scaler = Training(recipe, knobs), Training(recipe, knobs), _scaler()
    heard: list[str] = []
    scaled.optimizer.register_step_pre_hook(lambda *_: heard.append("before"))
    scaled.optimizer.register_step_post_hook(lambda *_: heard.append("after"))
    for _ in range(3):
        _plain_step(plain)
        loss = scaled.optimizer.step(
            lambda: _loss(scaled), scaler=scaler, on_unscaled=lambda: heard.append(_halve(scaled))
        )
        assert isinstance(loss, Tensor), f"step(closure, scaler=...) returned {loss!r}"
    assert heard == ["before", "unscaled", "after"] * 3, f"hooks and on_unscaled ran as {heard}"
    differing = changes(snapshot(plain.optimizer), snapshot(scaled.optimizer))
    assert not differing, f"step(closure, scaler=...) and step(closure) differ in {', '.join(differing)}"
    before, scale = snapshot(scaled.optimizer), scaler.get_scale()
    scaled.optimizer.step(lambda: _loss(scaled) * torch.inf, scaler=scaler)
    changed = changes(before, snapshot(scaled.optimizer))
    assert not changed, f"a step that is skipped for an infinite gradient changed {', '.join(changed)}"
    assert same(scaler.get_scale(), 0.5 * scale), (
        f"after a skipped step the scale went from {scale} to {scaler.get_scale()}"
    )


def _loss(training: Training) -> Tensor:
    training.optimizer.zero_grad()
    return sum(((param - 1).square().sum() for param in training.params), torch.zeros((), device="cpu"))


def _halve(training: Training) -> str:
    for param in training.params:
        assert param.grad is not None
        param.grad.mul_(0.5)
    return "unscaled"


def _plain_step(training: Training) -> None:
    loss = _loss(training)
    loss.backward()
    _halve(training)
    training.optimizer.step(loss=loss)


@check()
def nonfinite_steps_are_skipped(recipe: RecipeClass, knobs: Knobs) -> None:
    """With skip_nonfinite=True a step with an infinite or NaN gradient changes nothing, and is counted."""
    plain, skipping = Training(recipe, knobs), Training(recipe, knobs, skip_nonfinite=True)
    for bad in (torch.inf, torch.nan, None):
        plain.step()
        skipping.step()
        if bad is not None:
            gradients, before = skipping.gradients(), snapshot(skipping.optimizer)
            gradients[-1] = torch.full_like(gradients[-1], bad)
            skipping.step_on(gradients)
            skipping.time -= 1
            changed = changes(before, snapshot(skipping.optimizer))
            assert not changed, f"a step on a gradient of {bad} changed {', '.join(changed)}"
    differing = changes(snapshot(plain.optimizer), snapshot(skipping.optimizer))
    assert not differing, f"after two skipped steps, these differ: {', '.join(differing)}"
    assert skipping.optimizer.skipped == 2, f"two steps were skipped, and {skipping.optimizer.skipped} are counted"
