"""It descends, and all that it remembers takes part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gradwright.contract.asserts import close
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training, accepts, noise, same, slots_of
from gradwright.core import HostScalar

LOUDER = (1, 100, 1000, 10)
"""Factors on lr that are tried: a default made for long training is too small for sixty steps."""


@check()
def has_an_lr(recipe: RecipeClass, knobs: Knobs) -> None:
    """It has an lr, a multiplier where the method finds its own step, so that every schedule finds it."""
    assert isinstance(recipe.spec.defaults.get("lr"), float), (
        f"{recipe.recipe_name} has no hyper-parameter lr with a float as default; schedulers look for it"
    )


@check()
def descends_on_a_bowl(recipe: RecipeClass, knobs: Knobs) -> None:
    """On a quadratic the loss falls at its lr, and to less than half at some larger one."""

    def losses(lr: float) -> tuple[float, float]:
        training = Training(recipe, {**knobs, "lr": lr}, noise=0.0)
        start = float(training.loss())
        with training.step(60).optimizer.evaluating():
            return start, float(training.loss())

    _falls(recipe, knobs, losses)


@check()
def descends_on_a_network(recipe: RecipeClass, knobs: Knobs) -> None:
    """On a small network the loss falls at its lr, and to less than half at some larger one."""

    def losses(lr: float) -> tuple[float, float]:
        model, inputs, targets = _network()
        params = [param for param in model.parameters() if accepts(recipe, {**knobs, "lr": lr}, param)]
        optimizer = recipe(params, **{**knobs, "lr": lr})

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (model(inputs) - targets).square().mean()
            loss.backward()
            return loss

        found = [optimizer.step(closure).item() for _ in range(60)]
        with optimizer.evaluating():
            return found[0], (model(inputs) - targets).square().mean().item()

    _falls(recipe, knobs, losses)


def _network() -> tuple[nn.Module, Tensor, Tensor]:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    with torch.no_grad():
        for index, param in enumerate(model.parameters()):
            param.copy_(0.5 * noise(index, param.shape))
    inputs = noise(50, (12, 4))
    return model, inputs, inputs @ noise(51, (4, 2))


def _falls(recipe: RecipeClass, knobs: Knobs, losses: Any) -> None:
    """The loss falls at the recipe's own lr, and is halved at it or at one some powers of ten larger."""
    lr = float(knobs.get("lr", recipe.spec.defaults["lr"]))
    ends = []
    for factor in LOUDER:
        start, end = losses(lr * factor)
        assert factor > 1 or end < start, f"in 60 steps at lr={lr:g} the loss went from {start:g} to {end:g}"
        ends.append(end)
        if end < 0.5 * start:
            return
    tried = ", ".join(f"{lr * factor:g}" for factor in LOUDER)
    raise AssertionError(f"from {start:g}, 60 steps reached {min(ends):g} at best; lr was {tried}")


@check()
def every_slot_moves(recipe: RecipeClass, knobs: Knobs) -> None:
    """Every entry of every declared slot leaves its start while descending, unless the slot is fixed."""
    training = Training(recipe, knobs)
    origins = dict(zip(training.params, training.values()))
    for _ in range(50):
        training.step(6)
        still = [name for param in training.params for name in _still(training, param, origins[param])]
        if not still:
            return
    raise AssertionError(f"{', '.join(still)} never moved; state that does nothing should not be kept")


def _still(training: Training, param: Tensor, origin: Tensor) -> list[str]:
    state, found = training.optimizer.state[param], []
    for key, slot in slots_of(training.optimizer, param).items():
        value = state[key]
        if isinstance(slot, HostScalar):
            moved = value != slot.start
        elif slot.fixed:
            assert slot.start != "param" or same(value, origin.to(value.dtype)), f"the fixed slot {key} was written"
            continue
        else:
            different = value != (origin if slot.start == "param" else slot.start)
            # a shape of the transform's own may hold padding or packed bits
            moved = bool(different.any() if slot.shape is not None else different.all())
        if not moved:
            found.append(f"{key} beside {training.optimizer.spec_of(param)}")
    return found


@check()
def lr_sizes_the_step(recipe: RecipeClass, knobs: Knobs) -> None:
    """lr=0 moves nothing, and twice the lr makes the first move twice as long (decay aside)."""
    plain = without_decay(recipe, knobs)
    lr = float(plain.get("lr", recipe.spec.defaults["lr"]))
    resting = Training(recipe, {**plain, "lr": 0.0})
    before = resting.values()
    assert all(same(old, new) for old, new in zip(before, resting.step(6).values())), "at lr=0 the weights moved"
    once, twice = first_move(recipe, {**plain, "lr": lr}), first_move(recipe, {**plain, "lr": 2 * lr})
    for one, two in zip(once, twice):
        close(two, 2 * one, "with twice the lr, the first move is not twice as long", rtol=1e-6, atol=1e-14)


def without_decay(recipe: RecipeClass, knobs: Knobs) -> dict[str, Any]:
    """The hyper-parameters without weight decay, which follows laws of its own."""
    return {**knobs, "weight_decay": 0.0} if "weight_decay" in recipe.spec.defaults else dict(knobs)


def first_move(
    recipe: RecipeClass, knobs: Knobs, params: list[Tensor] | None = None, scale: float = 1.0
) -> list[Tensor]:
    """How far the weights go at the first step that moves them, in float64; positive is downwards."""
    if params is None:
        params = [param.detach().double().requires_grad_() for param in Training(recipe, knobs).params]
    training = Training(recipe, knobs, params)
    before = training.values()
    for _ in range(100):
        training.step_on([scale * gradient for gradient in training.gradients()])
        moves = [old - new for old, new in zip(before, training.values())]
        if any(move.any() for move in moves):
            return moves
    raise AssertionError("a hundred steps moved nothing")
