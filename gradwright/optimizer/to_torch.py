"""to_torch: hand a run to torch.optim, which goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gradwright.core import HostScalar
from gradwright.core.number import shown
from gradwright.core.spec import WEIGHTS
from gradwright.engine.rows import AGES
from gradwright.optimizer import foreign
from gradwright.optimizer.arrays import values_of
from gradwright.optimizer.torch_forms import TorchForm, form_of, torch_defaults
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer

StateDict = dict[str, Any]


def to_torch(optimizer: Optimizer) -> StateDict:
    """A state_dict that ``torch.optim``'s class of the same name loads, and from which it goes on as this run would.

    The way back is ``load_state_dict``, which reads torch's. Everything is a copy.

    Args:
        optimizer: an optimizer whose groups all run one recipe that torch has too: SGD, Adam, AdamW, NAdam, RAdam,
            Adamax, Adagrad, RMSprop, Adadelta, ASGD, Rprop, Adafactor (``form="torch"``) or Muon.

    Returns:
        What ``torch.optim.NAME.load_state_dict`` takes, for an optimizer over the same parameters in the same groups.

    Raises:
        TypeError: it is no optimizer of this library.
        ValueError: the recipe or one of its hyper-parameters has no counterpart in torch; names it and the value.

    >>> import gradwright
    >>> weight = torch.ones(3, requires_grad=True)
    >>> ours = gradwright.SGD([weight], lr=0.1, momentum=0.9)
    >>> weight.sum().backward()
    >>> ours.step()
    >>> theirs = torch.optim.SGD([weight])
    >>> theirs.load_state_dict(to_torch(ours))
    >>> theirs.param_groups[0]["momentum"], theirs.state[weight]["momentum_buffer"]
    (0.9, tensor([1., 1., 1.]))
    """
    if not hasattr(optimizer, "recipe_spec_of"):
        raise TypeError(f"to_torch takes an optimizer of gradwright, got a {type(optimizer).__name__}")
    recipes = list(dict.fromkeys(group["recipe"] for group in optimizer.param_groups))
    if len(recipes) > 1:
        raise ValueError(
            f"to_torch: the groups run {' and '.join(recipes)}, and an optimizer of torch runs one method; give each "
            "recipe an optimizer of its own"
        )
    recipe_spec = spec_named(recipes[0])
    if not recipe_spec.torch_state:
        raise ValueError(f"to_torch: {recipe_spec.name} has no counterpart in torch.optim that continues its state")
    form, defaults = form_of(recipe_spec), torch_defaults(recipe_spec.name)
    state: dict[int, dict[str, Any]] = {}
    groups: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        first = sum(len(other["params"]) for other in groups)
        indices = list(range(first, first + len(group["params"])))
        groups.append({**_settings(recipe_spec, form, defaults, group), "params": indices})
        for index, param in zip(indices, group["params"]):
            kept = _of_one_age(optimizer, group, param)
            if entry := _entry(recipe_spec, form, param, kept, groups[-1]):
                state[index] = entry
    return {"state": state, "param_groups": groups}


def _settings(recipe_spec: RecipeSpec, form: TorchForm, defaults: Any, group: dict[str, Any]) -> dict[str, Any]:
    knobs = recipe_spec.knobs(group)
    for name, value in form.fixed.items():
        if knobs.pop(name) != value:
            raise ValueError(
                f"to_torch: {recipe_spec.name}: {name}={shown(group.get(name))} has no counterpart in torch, whose "
                f"method is {name}={value!r}"
            )
    dtype = next((param.dtype for param in group["params"]), torch.float32)
    try:
        written = form.write(knobs, dtype)
    except ValueError as refusal:
        raise ValueError(f"to_torch: {recipe_spec.name}: {refusal}") from None
    theirs = {ours: name for name, ours in form.renamed.items()}
    settings = {theirs.get(name, name): value for name, value in written.items()}
    settings["maximize"] = group["maximize"]
    if isinstance(group["lr"], Tensor):
        settings["lr"] = group["lr"].detach().clone()
    for name in sorted(settings.keys() - defaults.keys()):
        if settings.pop(name):
            raise ValueError(f"to_torch: torch.optim.{recipe_spec.name} of this version has no {name}")
    kept = {key: group[key] for key in ("name", "param_names", *foreign.RATES) if key in group}
    return {**defaults, **settings, **kept}


def _of_one_age(optimizer: Optimizer, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
    """The state of a parameter, as that of one whose rows are all of the age that they have in common."""
    state = optimizer.state[param]
    if AGES not in state:
        return state
    first, last = int(state[AGES].min()), int(state[AGES].max())
    if first != last:
        raise ValueError(
            f"to_torch: {group['recipe']}: the rows of {optimizer.spec_of(param)} have taken {first} to {last} steps, "
            "and torch counts one for all of them; go on here"
        )
    slots = optimizer.slots_for(group)(param)
    numbers = {key: float(state[key][0]) for key, slot in slots.items() if isinstance(slot, HostScalar)}
    return {**state, **numbers, "step": float(first)}


def _entry(
    recipe_spec: RecipeSpec, form: TorchForm, param: Tensor, state: dict[str, Any], group: dict[str, Any]
) -> dict[str, Any]:
    """A parameter's state in torch's words; nothing before its first step where torch has nothing then."""
    if not state.get("step") and not (state and form.from_the_start):
        return {}
    if any(name.startswith(f"{WEIGHTS}:") for name in state):
        raise ValueError(
            "to_torch: torch has no place for what split weights keep beside the model's own; export full_weights(), "
            "or set group['weights'] = 'plain' first, which drops it"
        )
    if "training_weights" in state:
        raise ValueError("to_torch: the evaluation weights are in place; call optimizer.train() first")
    entry: dict[str, Any] = (
        {"step": torch.tensor(state["step"], dtype=torch.float32, device="cpu")} if form.counts else {}
    )
    for name, rule in form.derived.items():
        entry[name] = torch.tensor(rule(state["step"], group), dtype=torch.float64, device="cpu")
    for name, slot in recipe_spec.torch_state.items():
        if slot not in state:
            continue
        value = values_of(state, slot)
        if not isinstance(value, Tensor):
            entry[name] = torch.tensor(value, dtype=torch.float64, device="cpu")
        else:
            entry[name] = torch.view_as_complex(value).clone() if param.is_complex() else value.detach().clone()
    return entry
