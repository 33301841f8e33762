"""Checkpoints of torch.optim: read them as if the recipe of the same name had written them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer

StateDict = dict[str, Any]


def translated(optimizer: Optimizer, state_dict: StateDict) -> StateDict:
    """``state_dict`` in this library's words, where ``torch.optim`` wrote it; any other as it is.

    Hyper-parameters that the recipe has are taken over, torch's speed flags are dropped, and each state tensor goes to
    the slot that means the same. A run that was begun with ``torch.optim.AdamW`` goes on with ``gradwright.AdamW``.

    Raises:
        ValueError: the recipe has no counterpart in torch.optim, or a group was saved with a flag that has no meaning
            here.
    """
    groups = state_dict.get("param_groups", [])
    if not groups or any("recipe" in group for group in groups) or len(groups) != len(optimizer.param_groups):
        return state_dict
    state: dict[Any, Any] = {}
    new_groups = []
    for saved, own in zip(groups, optimizer.param_groups):
        recipe_spec = spec_named(own["recipe"])
        if not recipe_spec.torch_state:
            raise ValueError(
                f"state_dict was not saved by Gradwright, and {recipe_spec.name} reads no other library's; "
                "start it afresh, or load into the optimizer that saved it"
            )
        ages = [_age(state_dict["state"].get(index, {})) for index in saved["params"]]
        kept = {key: value for key, value in saved.items() if key in own or key == "initial_lr"}
        new_groups.append({**kept, "params": saved["params"], "clock": int(max(ages, default=0))})
        for index, age in zip(saved["params"], ages):
            if found := state_dict["state"].get(index):
                state[index] = {"step": age, **_renamed(recipe_spec, found)}
    return {**state_dict, "state": state, "param_groups": new_groups}


def _age(found: dict[str, Any]) -> float:
    """The steps taken; ``torch.optim.SGD`` does not count them, and a buffer tells that there was one."""
    step = found.get("step")
    return float(step) if step is not None else float(any(isinstance(value, Tensor) for value in found.values()))


def _renamed(recipe_spec: RecipeSpec, found: dict[str, Any]) -> dict[str, Any]:
    return {
        recipe_spec.torch_state.get(key, key): value
        for key, value in found.items()
        if key != "step" and value is not None
    }
