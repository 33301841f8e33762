"""An update reads and returns; it writes nothing and waits for no device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training, slots_of
from gradwright.core import Context, HostScalar, Total
from gradwright.core.transform import walk


@check()
def updates_are_pure(recipe: RecipeClass, knobs: Knobs) -> None:
    """An update writes into none of its inputs: weights, gradient, state, loss."""
    training = Training(recipe, knobs).step(3)
    for clock in range(4, 10):
        for param, gradient in zip(training.params, training.gradients()):
            inputs, context = _inputs(training, param, gradient, float(clock))
            kept = {name: (tensor._version, tensor.clone()) for name, tensor in inputs.items()}
            state = {k: v for k, v in training.optimizer.state[param].items() if k != "step"}
            before = dict(state)
            _run(recipe.chain(**knobs), gradient, state, context)
            assert state == before, "the update changed the state dictionary it was given"
            for name, tensor in inputs.items():
                version, value = kept[name]
                untouched = tensor._version == version and torch.equal(tensor, value)
                assert untouched, f"the update wrote into {name} of {context.spec}"


def _inputs(training: Training, param: Tensor, gradient: Tensor, clock: float) -> tuple[dict[str, Tensor], Context]:
    weights, loss = param.detach(), training.loss().float()
    spec = training.optimizer.spec_of(param)
    slots = slots_of(training.optimizer, param)
    state = {k: training.optimizer.state[param][k] for k, slot in slots.items() if not isinstance(slot, HostScalar)}
    context = Context(weights, gradient, clock, clock, loss, spec)
    return {"the weights": weights, "the gradient": gradient, "the loss": loss, **state}, context


@torch.no_grad()
def _run(chain: Any, gradient: Tensor, state: dict[str, Any], context: Context) -> None:
    """Run an update to its end, with the tensor's own share in place of every total."""
    steps, answer = walk(chain, gradient, state, context), None
    while True:
        try:
            total: Total = steps.send(answer)
        except StopIteration:
            return
        parts = tuple(part.double() for part in total.parts)
        answer = parts[0] if len(parts) == 1 else parts


class _NoSync(TorchDispatchMode):
    """Refuses every operation whose answer the host would have to wait for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        waits = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags)
        assert not waits, f"an update reads a tensor on the host ({func}); on a device it would wait there every time"
        return func(*args, **(kwargs or {}))


@check()
def steps_do_not_synchronise(recipe: RecipeClass, knobs: Knobs) -> None:
    """Its update asks no tensor for its value, so that the host never waits for a device."""
    training = Training(recipe, knobs, engine="eager")
    for _ in range(6):
        gradients, loss = training.gradients(), training.loss()
        with _NoSync():
            training.step_on(gradients, loss)
