"""The rules of a routing, read and checked: a selector, and the recipe that takes what it selects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core.number import as_float
from gradwright.core.selector import Selector, parse
from gradwright.core.spelling import nearest
from gradwright.optimizer.recipe import Bound, Recipe, registry
from gradwright.recipe.registry import spec_named

USUAL_NO_DECAY = "bias | norm | vector | scalar"
"""What `no_decay=True` excludes from weight decay: biases, all of norm layers, every other vector and single number."""


@dataclass(frozen=True)
class Rule:
    """A selector and the recipe for what it selects."""

    text: str
    recipe: str
    knobs: dict[str, Any]
    """The hyper-parameters given; the others have the recipe's defaults."""
    decays: bool
    """Whether the recipe has a hyper-parameter `weight_decay`."""
    always_decays: bool
    """Whether the recipe decays weights by a number that is no hyper-parameter of it."""

    @property
    def selector(self) -> Selector:
        return parse(self.text)

    def knobs_of(self, decays: bool, scale: float) -> dict[str, Any]:
        """The hyper-parameters of a part of what it selects: one that does not decay, or has a share of the rate.

        Args:
            decays: whether the part decays.
            scale: what its learning rate is multiplied by.
        """
        lr = self.knobs.get("lr", spec_named(self.recipe).defaults.get("lr"))
        own = {} if decays else {"weight_decay": 0.0}
        return self.knobs | own | ({} if scale == 1.0 or lr is None else {"lr": lr * scale})

    def __str__(self) -> str:
        return f"{self.recipe}({shown(self.knobs)})"


def shown(knobs: Mapping[str, Any]) -> str:
    """Hyper-parameters in one line.

    >>> shown({"lr": 3e-4, "betas": (0.9, 0.95)})
    'lr=0.0003, betas=(0.9, 0.95)'
    """
    return ", ".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in knobs.items()
    )


def read_rules(rules: Mapping[str, Bound | type[Recipe[...]]]) -> list[Rule]:
    """The rules, checked.

    Raises:
        TypeError: not a mapping from selectors to recipes.
        ValueError: there is no rule, or a selector is malformed.

    >>> from gradwright.recipes import AdamW
    >>> print(*read_rules({"*": AdamW.bind(lr=3e-4)}))
    AdamW(lr=0.0003)
    """
    if not isinstance(rules, Mapping):
        raise TypeError(f'rules={rules!r}: give a dict from selectors to recipes, such as {{"*": AdamW.bind(lr=3e-4)}}')
    if not rules:
        raise ValueError('rules={} gives no parameter a recipe; {"*": AdamW} takes all')
    return [_rule(text, value) for text, value in rules.items()]


def read_no_decay(no_decay: bool | str | None, rules: list[Rule], declared: str = "") -> Selector | None:
    """The selector of what does not decay.

    Args:
        no_decay: what was given.
        rules: the rules.
        declared: a selector of what the model itself says must not, beside the usual.

    Raises:
        TypeError: `no_decay` is neither a bool nor a selector's text.
        ValueError: a recipe decays but has no `weight_decay` to set to 0; or no recipe decays at all, so that
            it would be ignored.
    """
    if no_decay is None or no_decay is False:
        return None
    if not isinstance(no_decay, (bool, str)):
        raise TypeError(f"no_decay={no_decay!r}: give True for {USUAL_NO_DECAY!r}, or a selector")
    usual = f"{USUAL_NO_DECAY} | {declared}" if declared else USUAL_NO_DECAY
    selector = parse(usual if no_decay is True else no_decay)
    for rule in rules:
        if rule.always_decays:
            raise ValueError(
                f"no_decay={no_decay!r}: {rule.recipe} decays weights but has no hyper-parameter weight_decay; "
                f"route what shall not decay to another recipe, by a rule before {rule.text!r}"
            )
    if not any(rule.decays for rule in rules):
        recipes = " and ".join(dict.fromkeys(rule.recipe for rule in rules))
        raise ValueError(f"no_decay={no_decay!r} has no effect: {recipes} has no weight_decay; leave it out")
    return selector


def read_layer_decay(layer_decay: float | None, depths: Mapping[str, int]) -> dict[str, float]:
    """What the learning rate of each parameter is multiplied by.

    Args:
        layer_decay: the factor from a layer to the one before it; None for none.
        depths: the layer of each parameter.

    Raises:
        TypeError, ValueError: it is no number in (0, 1].

    >>> read_layer_decay(0.5, {"stem": 0, "block": 1, "head": 2})
    {'stem': 0.25, 'block': 0.5, 'head': 1.0}
    """
    if layer_decay is None:
        return {}
    factor = as_float("layer_decay", layer_decay)
    if not 0 < factor <= 1:
        raise ValueError(f"layer_decay={factor:g} is outside (0, 1]; 0.75 is usual for fine-tuning, 1 changes nothing")
    last = max(depths.values(), default=0)
    return {name: factor ** (last - depth) for name, depth in depths.items()}


def if_it_decays(no_decay: bool | str | None, rules: Mapping[str, Bound | type[Recipe[...]]]) -> bool | str | None:
    """`no_decay`, or None where it is True and no recipe of the rules decays, so that what it asks for holds already.

    >>> from gradwright.recipes import AdamW, Surefoot
    >>> if_it_decays(True, {"*": AdamW}), if_it_decays(True, {"*": Surefoot})
    (True, None)
    """
    decays = any(rule.decays or rule.always_decays for rule in read_rules(rules))
    return no_decay if decays or no_decay is not True else None


def _rule(text: Any, value: Any) -> Rule:
    if not isinstance(text, str):
        raise TypeError(f"rules: the selector {text!r} is no text; write it as 'matrix' or '*'")
    parse(text)
    bound = _bound(text, value)
    recipe_spec = bound.recipe.spec
    decays = "weight_decay" in recipe_spec.defaults
    parts = recipe_spec.chain(bound.knobs).knobs()
    always = not decays and any(rate and knob.endswith(".weight_decay") for knob, rate in parts.items())
    return Rule(text, bound.recipe.recipe_name, dict(bound.knobs), decays, always)


def _bound(text: str, value: Any) -> Bound:
    if isinstance(value, Bound):
        return value
    if isinstance(value, type) and issubclass(value, Recipe) and value.recipe_name:
        return value.bind()
    at = f"rules[{text!r}]"
    if isinstance(value, str):
        known = f"write {value}.bind(...)" if value in registry else nearest(value, registry, "give a recipe")
        raise TypeError(f"{at} is the text {value!r}; {known}")
    if isinstance(value, torch.optim.Optimizer):
        name = type(value).__name__
        raise TypeError(f"{at} is an optimizer that already holds its parameters; give {name}.bind(lr=...) instead")
    if isinstance(value, type) and issubclass(value, torch.optim.Optimizer):
        same = f"gradwright.{value.__name__}" if value.__name__ in registry else "a recipe of gradwright"
        raise TypeError(f"{at} is {value.__module__}.{value.__name__}, which cannot share an optimizer; give {same}")
    raise TypeError(f"{at} is {value!r}; give a recipe such as AdamW, or AdamW.bind(lr=3e-4)")
