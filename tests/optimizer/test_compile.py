"""Steps under ``torch.compile``: the graph breaks there, as it does at torch's own, and the numbers are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

import gradwright as gw

STEPS = 10
SETTLED = 4
"""So many steps may compile: the first, those that see another learning rate, and state that is there."""


class Run(NamedTuple):
    """What a run left: weights, how often hooks were called, and how many frames were compiled early and late."""

    weights: list[torch.Tensor]
    hooked: int
    early: int
    late: int


def step_alone(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], Any], compiled: Any) -> Any:
    take = compiled(optimizer.step)

    def train() -> None:
        optimizer.zero_grad()
        loss().backward()
        take()

    return train


def a_closure(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], Any], compiled: Any) -> Any:
    take = compiled(optimizer.step)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return lambda: take(closure)


def whole_training(model: nn.Module, optimizer: Any, loss: Callable[[], Any], compiled: Any) -> Any:
    def train() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step(loss=value)
        return value

    return compiled(train)


def training_with_a_closure(model: nn.Module, optimizer: Any, loss: Callable[[], Any], compiled: Any) -> Any:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return compiled(lambda: optimizer.step(closure))


WAYS = (step_alone, a_closure, whole_training, training_with_a_closure)


def run(recipe: Any, engine: str, way: Callable[..., Any], backend: Any) -> Run:
    """Some steps with hooks and a scheduler; ``backend`` compiles them, if there is one."""
    torch._dynamo.reset()
    frames = torch._dynamo.utils.counters["frames"]
    frames.clear()
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1, bias=False))
    x, y = torch.randn(16, 4), torch.randn(16, 1)
    served = [param for param in model.parameters() if recipe is not gw.Muon or param.ndim > 1]
    optimizer = recipe(served, engine=engine)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.7)
    hooked: list[Any] = []
    hook = torch.compiler.disable(lambda *_: hooked.append(None))  # the length of a list is compiled in
    optimizer.register_step_pre_hook(hook)
    optimizer.register_step_post_hook(hook)
    compiled = torch.compile(backend=backend) if backend is not None else lambda function: function
    train = way(model, optimizer, lambda: (model(x) - y).square().mean(), compiled)
    early = 0
    for step in range(STEPS):
        train()
        schedule.step()
        early = frames["total"] if step < SETTLED else early
    return Run([param.detach().clone() for param in model.parameters()], len(hooked), early, frames["total"] - early)


def compiles_to_the_same(recipe: Any, engine: str, way: Callable[..., Any], backend: Any) -> None:
    plain, compiled = run(recipe, engine, way, None), run(recipe, engine, way, backend)
    exact = {"rtol": 0.0, "atol": 0.0} if backend != "inductor" else {}  # which fuses the loss, and rounds it otherwise
    for one, other in zip(plain.weights, compiled.weights):
        torch.testing.assert_close(other, one, **exact)
    assert compiled.hooked == plain.hooked == 2 * STEPS
    assert compiled.early > 0
    assert compiled.late == 0, f"{compiled.late} frames were compiled after step {SETTLED}"


@pytest.mark.parametrize("engine", ["eager", "cpp"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_steps_are_the_same(way, engine, compiler):
    compiles_to_the_same(gw.AdamW, engine, way, "eager")


@pytest.mark.parametrize("recipe", [gw.Muon, gw.Prodigy, gw.ScheduleFreeAdamW, gw.SM3], ids=lambda r: r.recipe_name)
def test_other_kinds_of_recipes(recipe, compiler):
    compiles_to_the_same(recipe, "auto", whole_training, "eager")


@pytest.mark.parametrize("way", [whole_training, training_with_a_closure], ids=lambda way: way.__name__)
def test_a_recipe_that_needs_the_loss(way, compiler):
    compiles_to_the_same(gw.AdaLo, "auto", way, "eager")


def test_nothing_of_a_step_is_in_a_graph():
    counter = CompileCounter()
    run(gw.AdamW, "eager", step_alone, counter)
    assert counter.op_count == 0


def test_evaluation_weights_and_checkpoints_in_compiled_code(compiler):
    model = nn.Linear(3, 2)
    optimizer = gw.ScheduleFreeAdamW(model.parameters(), lr=0.1)

    @torch.compile(backend="eager")
    def train() -> None:
        optimizer.zero_grad()
        model(torch.ones(4, 3)).square().mean().backward()
        optimizer.step()

    train()
    train()
    before = model.weight.detach().clone()

    @torch.compile(backend="eager")
    def evaluate() -> torch.Tensor:
        with optimizer.evaluating():
            return model.weight.detach().clone()

    assert not torch.equal(evaluate(), before)
    assert torch.equal(model.weight, before)
    saved = torch.compile(optimizer.state_dict, backend="eager")()
    torch.compile(optimizer.load_state_dict, backend="eager")(saved)
    train()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["eager", "cpp"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_inductor(way, engine, compiler):
    compiles_to_the_same(gw.AdamW, engine, way, "inductor")
