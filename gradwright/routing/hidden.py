"""The hidden matrices and kernels of any model to Muon, and the rest to another recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from gradwright.core.selector import by_name, parse
from gradwright.optimizer.recipe import Bound, Recipe
from gradwright.recipes import AdamW, Muon
from gradwright.recipes.muon import MATRICES
from gradwright.routing.plan import Plan, plan
from gradwright.routing.roles import Roles, Survey, survey
from gradwright.routing.rules import if_it_decays

FUSED = "fused & matrix & !embedding & !head"
"""Query, key and value weights that are stored as one matrix, one above the other."""

Rest = Bound | type[Recipe[...]]
REST = AdamW.bind(lr=3e-4)


def hidden_plan(
    model: nn.Module,
    rest: Rest = REST,
    *,
    no_decay: bool | str | None = True,
    layer_decay: float | None = None,
    head: str | nn.Module | Iterable[str | nn.Module] | None = "auto",
    roles: Mapping[str, str] | None = None,
    example_inputs: Any = None,
    **knobs: Any,
) -> Plan:
    """The plan of :func:`gradwright.presets.muon`, which says what its arguments are.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    >>> [group["param_names"] for group in hidden_plan(net).groups]
    [['0.weight'], ['3.weight'], ['0.bias', '3.bias']]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model={model!r} is a {type(model).__name__}; give the module itself")
    known: dict[str, Any] = {"head": head, "roles": roles, "example_inputs": example_inputs}
    rules = hidden_rules(survey(model, **known), rest, knobs)
    return plan(model, rules, no_decay=if_it_decays(no_decay, rules), layer_decay=layer_decay, **known)


def hidden_rules(found: Survey, rest: Rest, knobs: Mapping[str, Any]) -> dict[str, Rest]:
    """A rule for each kind of weight that the model has: hidden ones, fused ones, and all others.

    Args:
        found: the model's parameters.
        rest: the recipe for what is no hidden weight.
        knobs: hyper-parameters of Muon.
    """
    trained = {key: param for key, param in found.params.items() if param.requires_grad}
    taken: dict[str, Rest] = {}
    left = trained.keys()
    for selector, bound in ((MATRICES, Muon.bind(**knobs)), (FUSED, Muon.bind(**{"split": 3, **knobs}))):
        chosen = {key for key in left if parse(selector).matches(found.roles[key].roles)}
        served = {key for key in chosen if _serves(bound, trained[key], found.roles[key])}
        if served:
            taken[_without(selector, [found.roles[key].name for key in sorted(chosen - served)])] = bound
            left = left - served
    return {**taken, "*": rest} if left or not taken else taken


def has_hidden(found: Survey) -> bool:
    """Whether a model has weights that Muon is for."""
    return hidden_rules(found, REST, {}).keys() != {"*"}


def _serves(bound: Bound, param: Tensor, roles: Roles) -> bool:
    rows = param.shape[0]
    split = bound.knobs.get("split", 1)
    fits = "fused" not in roles.roles or (sum(split) == rows if isinstance(split, tuple) else rows % split == 0)
    return fits and not param.is_complex()


def _without(selector: str, names: Iterable[str]) -> str:
    return " & ".join([selector, *(f"!{by_name(name)}" for name in names)])
