"""What a recipe claims about itself holds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.contract.asserts import close
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.descent import first_move, without_decay
from gradwright.contract.training import MATRIX, Training, copies, is_shared, served, slots_of, weights
from gradwright.core import Context
from gradwright.core.second_look import SecondLook
from gradwright.core.spelling import near
from gradwright.core.transform import walk
from gradwright.recipe.traits import TRAITS


@check()
def traits_are_spelled(recipe: RecipeClass, knobs: Knobs) -> None:
    """No trait is a misspelling of one that the contract would check."""
    for trait in recipe.spec.traits - TRAITS.keys():
        close = near(trait, TRAITS, count=1, cutoff=0.75)
        assert not close, f"the trait {trait!r} is unknown; did you mean {close[0]!r}?"


@check()
def traits_are_declared(recipe: RecipeClass, knobs: Knobs) -> None:
    """The traits needs_loss, averages, shared and totals are declared exactly where they are so."""
    training = Training(recipe, knobs).step(2)
    chain = recipe.chain(**knobs)
    twice = any(isinstance(link, SecondLook) for link in chain.links)  # whose norms run over all
    found = {
        "needs_loss": "loss" in chain.all_needs,
        "averages": chain.evaluates,
        "shared": any(is_shared(slot) for p in training.params for slot in slots_of(training.optimizer, p).values()),
        "totals": twice or any(_asks_for_totals(training, param) for param in training.params),
    }
    for trait, so in found.items():
        declared = trait in recipe.spec.traits
        assert so == declared, f"{trait}: {TRAITS[trait]}; that is {so} here, yet it is declared {declared}"


def _asks_for_totals(training: Training, param: Tensor) -> bool:
    optimizer, spec = training.optimizer, training.optimizer.spec_of(param)
    state = {key: value for key, value in optimizer.state[param].items() if key != "step"}
    chain = optimizer.param_groups[0], type(optimizer).spec.chain(optimizer.param_groups[0])
    context = Context(param.detach(), param.detach(), 3.0, 3.0, training.loss(), spec)
    steps: Any = walk(chain[1], param.detach().clone(), state, context)
    try:
        next(steps)
    except StopIteration:
        return False
    return True


def _double(recipe: RecipeClass, knobs: Knobs, shapes: Any = ((4, 6), (3, 4), (5,))) -> list[Tensor]:
    return served(recipe, knobs, weights(shapes, torch.float64))


@check(claim="elementwise")
def elementwise(recipe: RecipeClass, knobs: Knobs) -> None:
    """Permuting the entries of weights and gradients permutes the steps."""
    params = _double(recipe, knobs)
    orders = [torch.randperm(p.numel(), generator=torch.Generator().manual_seed(7), device="cpu") for p in params]

    def permuted(tensors: list[Tensor]) -> list[Tensor]:
        return [tensor.detach().flatten()[order].view(tensor.shape) for tensor, order in zip(tensors, orders)]

    plain = Training(recipe, knobs, params)
    mixed = Training(recipe, knobs, copies(permuted(params)))
    for _ in range(7):
        gradients, loss = plain.gradients(), plain.loss()
        plain.step_on(gradients, loss)
        mixed.step_on(permuted(gradients), loss)
    for one, other in zip(permuted(plain.values()), mixed.values()):
        close(other, one, "it is not elementwise")


@check(claim="scale_free")
def scale_free(recipe: RecipeClass, knobs: Knobs) -> None:
    """With eps=0 and no decay in the gradient, 64 times the gradients make the same steps."""
    changed = dict(knobs)
    if isinstance(recipe.spec.defaults.get("eps"), float):
        changed["eps"] = 0.0
    if "coupled_decay" in recipe.spec.traits:
        changed["weight_decay"] = 0.0
    params = _double(recipe, changed)
    plain, loud = Training(recipe, changed, params), Training(recipe, changed, copies(params))
    for _ in range(7):
        gradients, loss = plain.gradients(), plain.loss()
        plain.step_on(gradients, loss)
        loud.step_on([64 * gradient for gradient in gradients], loss)
    for one, other in zip(plain.values(), loud.values()):
        close(other, one, "it is not scale-free")


@check(claim="relative")
def relative(recipe: RecipeClass, knobs: Knobs) -> None:
    """With the same gradients, a matrix twice as large takes a first step twice as large (decay aside)."""
    knobs = without_decay(recipe, knobs)
    [matrix] = _double(recipe, knobs, MATRIX)
    gradient = Training(recipe, knobs, copies([matrix])).gradients()
    moves = []
    for factor in (1.0, 2.0):
        training = Training(recipe, knobs, copies([factor * matrix]))
        before, steps = training.values()[0], 0
        while torch.equal(before, training.values()[0]):
            training.step_on(gradient)
            steps += 1
            assert steps < 100, "a hundred steps moved nothing"
        moves.append(before - training.values()[0])
    close(moves[1], 2 * moves[0], "its step is not relative to the weights")


@check(claim="sign")
def sign(recipe: RecipeClass, knobs: Knobs) -> None:
    """At the first move, decay aside, the entries of a tensor that move do so equally far."""
    for move in first_move(recipe, without_decay(recipe, knobs)):
        far = move[move != 0].abs()
        assert torch.allclose(far, far[:1].expand_as(far), rtol=1e-9), f"entries moved by {far.min()} to {far.max()}"


@check(claim="low_memory")
def low_memory(recipe: RecipeClass, knobs: Knobs) -> None:
    """Beside a large matrix, the state takes no more bytes than the matrix, give or take its edges."""
    params = served(recipe, knobs, weights(((64, 48),)))
    optimizer = Training(recipe, knobs, params).step().optimizer
    held = sum(v.numel() * v.element_size() for v in optimizer.state[params[0]].values() if isinstance(v, Tensor))
    size = params[0].numel() * params[0].element_size()
    assert held <= 1.1 * size, f"the state takes {held} bytes beside a matrix of {size}"
