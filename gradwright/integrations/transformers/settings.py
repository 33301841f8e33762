"""What of TrainingArguments a recipe takes: a learning rate, a weight decay, and which modules it is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

import torch
from torch import nn

from gradwright.core.selector import by_name, parse
from gradwright.optimizer.recipe import Bound, Recipe, registry
from gradwright.recipe.registry import spec_named
from gradwright.routing.layers import widths
from gradwright.routing.plan import Plan, plan
from gradwright.routing.roles import survey
from gradwright.routing.rules import if_it_decays

AnyRecipe = str | Bound | type[Recipe[...]]
Choice = AnyRecipe | Mapping[str, Bound | type[Recipe[...]]] | Callable[[nn.Module], torch.optim.Optimizer]

_BLOCK = re.compile(r"(?<=\.)\d+(?=\.)")


class Settings:
    """The learning rate and weight decay that `TrainingArguments` were given, and who has taken them.

    Args:
        arguments: what counts as given is what is not the default of its class.
    """

    def __init__(self, arguments: Any) -> None:
        usual = {field.name: field.default for field in fields(arguments) if field.default is not MISSING}
        named = {"lr": "learning_rate", "weight_decay": "weight_decay"}
        self.named = {knob: name for knob, name in named.items() if getattr(arguments, name) != usual.get(name)}
        self.given = {knob: float(getattr(arguments, name)) for knob, name in self.named.items()}
        self.taken: set[str] = set()

    def bind(self, recipe: Bound) -> Bound:
        """A recipe with what it takes of the settings, which is what it was not bound with itself.

        One that finds its step sizes, or serves matrices alone, has a learning rate of another kind.
        """
        defaults = recipe.recipe.spec.defaults
        foreign = {"lr"} if recipe.recipe.only is not None or defaults.get("lr") == 1.0 else set()
        takes = {
            knob: value
            for knob, value in self.given.items()
            if knob in defaults and knob not in recipe.knobs and knob not in foreign
        }
        self.taken |= takes.keys()
        return Bound(recipe.recipe, {**takes, **recipe.knobs})

    def refuse_untaken(self, recipes: str) -> None:
        """Refuse what would be ignored.

        Raises:
            ValueError: names it and says why nobody takes it.
        """
        for knob in self.given.keys() - self.taken:
            why = "finds its step sizes, or has an lr of its own" if knob == "lr" else "has none, or one of its own"
            raise ValueError(
                f"TrainingArguments({self.named[knob]}={self.given[knob]:g}) would have no effect: {recipes} {why}; "
                f"leave it out, or say it to a recipe with bind({knob}=...)"
            )


def bound(recipe: AnyRecipe) -> Bound:
    """A recipe, or its name, as one with hyper-parameters.

    Raises:
        ValueError: no recipe has that name.
    """
    if isinstance(recipe, str):
        recipe = registry[spec_named(recipe).name]
    return recipe if isinstance(recipe, Bound) else recipe.bind()


def planned(
    model: nn.Module, recipe: AnyRecipe | Mapping[str, Any], rest: AnyRecipe, no_decay: bool | str | None, args: Any
) -> Plan:
    """The plan of a model's optimizer under `TrainingArguments`.

    Args:
        model: to be trained.
        recipe: for all it can serve, or for ``args.optim_target_modules``; or rules.
        rest: for the others.
        no_decay: as for :func:`gradwright.plan`.
        args: the arguments.

    Raises:
        ValueError: an argument would be ignored, or no module has the names of ``optim_target_modules``.
    """
    settings, targets = Settings(args), getattr(args, "optim_target_modules", None)
    if isinstance(recipe, Mapping):
        if targets is not None:
            raise ValueError(
                f"optim_target_modules={targets!r} would have no effect: the selectors of the rules say which module "
                "has which recipe; leave it out"
            )
        rules: dict[str, Any] = dict(recipe)
    else:
        rules = _rules(model, recipe, rest, targets, settings)
    settings.refuse_untaken(" and ".join(dict.fromkeys(_name(one) for one in rules.values())))
    return plan(model, rules, no_decay=if_it_decays(no_decay, rules))


def _rules(model: nn.Module, recipe: AnyRecipe, rest: AnyRecipe, targets: Any, settings: Settings) -> dict[str, Any]:
    first = settings.bind(bound(recipe))
    only = first.recipe.only
    selector = only or "*"
    if targets is not None:
        chosen = _targeted(model, targets)
        selector = chosen if only is None else f"({chosen}) & {only}"
    found = survey(model)
    trained = [one for key, one in found.roles.items() if found.params[key].requires_grad]
    if all(parse(selector).matches(one.roles, one.name, one.module) for one in trained):
        return {selector: first}
    return {selector: first, "*": settings.bind(bound(rest))}


def _targeted(model: nn.Module, targets: Any) -> str:
    """A selector of the weights of the linear layers that `optim_target_modules` names.

    Raises:
        ValueError: it names none.
    """
    from transformers.trainer_utils import check_target_module_exists

    everything = isinstance(targets, str) and targets.replace("_", "-") == "all-linear"
    layers = {name: module for name, module in model.named_modules() if widths(module) is not None}
    chosen = {f"{name}.weight" for name in layers if everything or check_target_module_exists(targets, name)}
    if not chosen:
        some = ", ".join(list(layers)[:5])
        raise ValueError(f"optim_target_modules={targets!r} names no linear layer of the model; it has {some}, ...")
    every = [name for name, _ in model.named_parameters()]
    globs = {_BLOCK.sub("*", name) for name in chosen}
    if any(name not in chosen and parse(f"name:{glob}").matches(frozenset(), name) for glob in globs for name in every):
        globs = chosen
    return " | ".join(f"name:{glob}" if "*" in glob else by_name(glob) for glob in sorted(globs))


def _name(recipe: Any) -> str:
    return str(getattr(getattr(recipe, "recipe", recipe), "recipe_name", recipe))
