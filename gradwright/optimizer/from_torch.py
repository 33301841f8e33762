"""Checkpoints of torch.optim: read them as if the recipe of the same name had written them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.core.number import shown
from gradwright.optimizer import foreign
from gradwright.optimizer.saved import Saved
from gradwright.optimizer.torch_forms import form_of, torch_words
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec

Group = dict[str, Any]
MODEL_KEYS = frozenset({"params", "param_names", "maximize"})


def translated(groups: list[Group], saved: Saved) -> Saved:
    """What ``torch.optim`` saved, in this library's words; what this library saved as it is.

    A run that was begun with ``torch.optim.AdamW`` goes on with ``gradwright.AdamW``: hyper-parameters are taken over,
    those that torch lacks get the value that makes the recipe torch's (NAdam and Adafactor the form ``"torch"``),
    torch's flags of execution are dropped, and each state tensor goes to the slot that means the same.

    Args:
        groups: the optimizer's groups, which name the recipes.
        saved: what was read.

    Raises:
        ValueError: the recipe has no counterpart in torch.optim, or a group was saved with a setting that has no
            meaning here, or by another method; names the group, the key and the value.
    """
    if not saved.groups or any("recipe" in group or "clock" in group for group in saved.groups):
        return saved
    own = groups if len(groups) == len(saved.groups) else [groups[0]] * len(saved.groups)
    if own is not groups and len({group["recipe"] for group in groups}) > 1:
        return saved
    state: dict[Any, Any] = {}
    clock = max((int(_age(entry)) for entry in saved.state.values()), default=0)
    new_groups = []
    for index, (group, mine) in enumerate(zip(saved.groups, own)):
        recipe_spec = spec_named(mine["recipe"])
        if not recipe_spec.torch_state:
            raise ValueError(
                f"state_dict was not saved by Gradwright, and {recipe_spec.name} reads no other library's; "
                "start it afresh, or load into the optimizer that saved it"
            )
        try:
            new_groups.append({**_settings(recipe_spec, group, mine), "clock": clock})
        except (TypeError, ValueError) as refusal:
            raise ValueError(
                f"state_dict group {index}, which {recipe_spec.name} reads as torch's: {refusal}"
            ) from None
        for key in group["params"]:
            if entry := saved.state.get(key):
                state[key] = {"step": _age(entry), **_renamed(recipe_spec, key, entry)}
    return Saved(new_groups, state)


def _settings(recipe_spec: RecipeSpec, saved: Group, own: Group) -> Group:
    """A saved group's settings as the recipe has them."""
    foreign.check(recipe_spec.name, saved, saved=True)
    form = form_of(recipe_spec)
    kept = {key: value for key, value in saved.items() if key not in ("differentiable", *foreign.FLAGS)}
    given = {form.renamed.get(key, key): value for key, value in kept.items()}
    dtype = next((param.dtype for param in own["params"]), torch.float32)
    settings = {**form.read(given, dtype), **form.fixed}
    known = recipe_spec.defaults.keys() | MODEL_KEYS | foreign.KEYS
    for key in sorted(settings.keys() - known):
        if key in torch_words() and settings[key]:
            raise ValueError(
                f"it sets {key}={shown(settings[key])}, which this method does not have; was it saved by another?"
            )
    settings = {key: value for key, value in settings.items() if key in known or key not in torch_words()}
    if "momentum" in settings and "momentum" not in own and "betas" in own:
        settings["betas"] = (settings.pop("momentum"),)  # schedulers cycle the betas of a routed optimizer
    if "momentum" in recipe_spec.defaults and settings.get("momentum", 0.0) is None:
        settings["momentum"] = 0.0
    return settings


def _age(entry: dict[str, Any]) -> float:
    """The steps taken; ``torch.optim.SGD`` does not count them, and a buffer tells that there was one."""
    step = entry.get("step")
    if step is None:
        return float(any(isinstance(value, Tensor) for value in entry.values()))
    try:
        return float(step)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"state_dict: 'step' is {shown(step)}, expected a number; the checkpoint is damaged") from None


def _renamed(recipe_spec: RecipeSpec, key: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """A saved entry's tensors by the names of the recipe's slots; complex ones as their real and imaginary parts."""
    found = {}
    for name, value in entry.items():
        if name in ("step", *form_of(recipe_spec).derived) or value is None:
            continue
        if name not in recipe_spec.torch_state:
            known = ", ".join(recipe_spec.torch_state)
            raise ValueError(
                f"state_dict holds {name!r} of parameter {key}, which torch's {recipe_spec.name} does not keep (it "
                f"keeps {known}); was it saved by another method?"
            )
        is_complex = isinstance(value, Tensor) and value.is_complex()
        found[recipe_spec.torch_state[name]] = torch.view_as_real(value) if is_complex else value
    return found
