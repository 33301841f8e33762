"""Param groups: the dictionaries of hyper-parameters, completed and checked before an optimizer takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradwright.core import Chain, ParamSpec, policy
from gradwright.core.policy import DEFAULT, Policy
from gradwright.core.roles import check_role
from gradwright.core.spelling import near, nearest
from gradwright.core.warn import warn_user
from gradwright.optimizer import foreign
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec

Group = dict[str, Any]

OWN_KEYS = frozenset({"params", "param_names", "role", "roles", "recipe", "clock", "maximize", *policy.KEYS})


def as_groups(params: Any, name: str) -> list[Group]:
    """What a user gave as ``params``, as a list of groups.

    Args:
        params: tensors, (name, tensor) pairs, or groups.
        name: of the optimizer, for the errors.

    Raises:
        TypeError, ValueError: it is no list, or empty; says what to give.
    """
    if isinstance(params, Tensor):
        raise TypeError(f"{name} needs a list of tensors, got one tensor; give [tensor]")
    if isinstance(params, torch.nn.Module):
        raise TypeError(f"{name} needs parameters, got a module; give model.parameters() or model.named_parameters()")
    if isinstance(params, dict):
        raise TypeError(f"{name} needs a list of groups, got one dict; give [group]")
    _refuse_set(params)
    try:
        given = list(params)
    except TypeError:
        raise TypeError(f"{name} needs a list of tensors, got {params!r}, a {type(params).__name__}") from None
    if not given:
        raise ValueError(
            f"{name} got an empty parameter list. If a generator such as model.parameters() was used before, it is "
            "exhausted: call it again; if all parameters are frozen, there is nothing to optimize"
        )
    if not any(isinstance(entry, dict) for entry in given):
        return [{"params": given}]
    if strange := [entry for entry in given if not isinstance(entry, dict)]:
        kind = type(strange[0]).__name__
        raise TypeError(f'{name} got groups and a {kind} in one list; put it into a group: {{"params": [...]}}')
    return given


def listed(group: Group) -> Group:
    """The group with its params as a list of tensors, and their names apart.

    Raises:
        ValueError: it has no ``params``, or names for some of them only.
        TypeError: they are a set, or hold something else than tensors.
    """
    if "params" not in group:
        raise ValueError(f"a param group needs 'params'; this one has {', '.join(sorted(group)) or 'nothing'}")
    params = group["params"]
    _refuse_set(params)
    params = [params] if isinstance(params, Tensor) else list(params)
    if named := [entry for entry in params if isinstance(entry, tuple)]:
        if len(named) != len(params):
            raise ValueError(f"{len(named)} of {len(params)} parameters have names; name all of them or none")
        group["param_names"] = [name for name, _ in params]
        params = [tensor for _, tensor in params]
    for param in params:
        if not isinstance(param, Tensor):
            raise TypeError(f"params holds a {type(param).__name__}; only tensors can be optimized")
    group["params"] = params
    return group


def _refuse_set(params: Any) -> None:
    if isinstance(params, (set, frozenset)):
        raise TypeError("params is a set, whose order changes between runs; give a list")


def routed_defaults(groups: Iterable[Group]) -> dict[str, Any]:
    """The defaults that schedulers look at: they decide once for all groups whether betas or momentum cycle.

    They belong to no recipe, so no group takes a hyper-parameter from them.
    """
    routed = [(spec_named(group["recipe"]), group) for group in groups if group.get("recipe") is not None]
    knobs = [{**recipe_spec.defaults, **group} for recipe_spec, group in routed]
    resting = any(recipe_spec.rests("momentum", k.get("momentum", 0.0)) for (recipe_spec, _), k in zip(routed, knobs))
    defaults: dict[str, Any] = {"maximize": False, "recipe": None}
    for key in ("betas", "momentum"):
        found = next((k[key] for k in knobs if not _rests(k.get(key))), None)
        if found is not None:
            # a momentum beside one that is switched off is cycled as betas, which the latter does not read
            return {**defaults, "betas": (found,)} if key == "momentum" and resting else {**defaults, key: found}
    return defaults


def _rests(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and value == 0)


def real_dtype(param: Tensor) -> torch.dtype:
    """The type of a parameter's numbers; for a complex one that of its real and imaginary parts."""
    return param.dtype.to_real() if param.dtype.is_complex else param.dtype


def real_shape(param: Tensor) -> tuple[int, ...]:
    """The shape of a parameter, complex numbers being pairs of real ones."""
    return tuple(param.shape) + ((2,) if param.is_complex() else ())


def policy_of(group: Mapping[str, Any]) -> Policy:
    """How a group's state and weights are held.

    Raises:
        ValueError: there is no such format.
    """
    try:
        return Policy(group.get("state", "auto"), group.get("weights", "plain"))
    except ValueError as refusal:
        raise ValueError(f"{group.get('recipe', 'Optimizer')}: {refusal}") from None


def formats(state: str | None, weights: str | None) -> dict[str, str]:
    """The entries of a group for what was said of its ``state`` and ``weights``."""
    return {key: value for key, value in zip(policy.KEYS, (state, weights)) if value is not None}


def telling(group: Group) -> list[str]:
    """The keys of a group that say how it is stepped, formats only where they are not the usual."""
    usual = [key for key in policy.KEYS if group.get(key) in (DEFAULT.state, DEFAULT.weights)]
    hidden = (OWN_KEYS - {"maximize", *policy.KEYS}).union(usual)
    return [key for key in group if key not in hidden]


def specs(group: Group, count: int) -> list[ParamSpec | None]:
    """The specs of a group's parameters; those without names are called by their index in the state_dict.

    One that a lazy module has not made yet, and has no shape, has none.

    Args:
        group: a group whose ``params`` is a list.
        count: how many parameters the groups before it have.
    """
    params = group["params"]
    names, roles, held = group.get("param_names"), group.get("roles"), policy_of(group)
    if names is None or len(names) != len(params):  # others may have been put in their place
        names = [f"parameter {count + i}" for i in range(len(params))]
    if roles is None or len(roles) != len(params):
        roles = [""] * len(params)
    return [
        None
        if is_lazy(param)
        else ParamSpec(
            real_shape(param), real_dtype(param), frozenset(words.split()), name, param.is_complex(), held, index
        )
        for index, (param, name, words) in enumerate(zip(params, names, roles), start=count)
    ]


def complete(group: Group, recipe_spec: RecipeSpec, defaults: Mapping[str, Any], clock: int) -> None:
    """Fill in what a group leaves open and refuse, or warn of, what would be ignored.

    A group takes from ``defaults`` what it leaves open, unless these are another recipe's; then from its own.

    Where the optimizer's defaults hold ``betas``, a recipe's ``momentum`` is kept as ``betas`` of one number, because
    schedulers decide once for all groups which of the two they cycle. One that is switched off stays where it is, and
    is written as 0.0, whether it was ``None`` or 0.

    Args:
        group: the group, which is changed.
        recipe_spec: the recipe that it runs.
        defaults: the optimizer's.
        clock: the steps that the optimizer has taken.

    Raises:
        ValueError: a key is a misspelt hyper-parameter, or the roles are not as many as the parameters.
        TypeError: a role is no string, or a flag no bool.
    """
    others = foreign.KEYS | foreign.OF_WRAPPERS
    for key in group.keys() - recipe_spec.defaults.keys() - OWN_KEYS - others - defaults.keys():
        if key in foreign.RESTING and group[key] == foreign.RESTING[key]:
            continue
        if key not in foreign.ELSEWHERE and near(key, recipe_spec.defaults):
            raise ValueError(f"{recipe_spec.name}: a param group sets {key!r}; {nearest(key, recipe_spec.defaults)}")
        warn_user(f"{recipe_spec.name} does not use {key!r}, which a param group sets")
    foreign.check(recipe_spec.name, group)
    group["recipe"] = recipe_spec.name
    group["clock"] = clock
    group.setdefault("maximize", defaults.get("maximize", False))
    foreign.flag(recipe_spec.name, "maximize", group["maximize"])
    for key, value in zip(policy.KEYS, (DEFAULT.state, DEFAULT.weights)):
        group.setdefault(key, defaults.get(key, value))
    policy_of(group)
    momentum_knob = recipe_spec.kinds.get("momentum")
    unsaid = momentum_knob is not None and momentum_knob.optional and group.get("momentum") is None
    own = group.keys() & recipe_spec.defaults.keys()
    lends_beta = "momentum" in recipe_spec.defaults and "betas" in defaults
    given = defaults if defaults.get("recipe", recipe_spec.name) == recipe_spec.name else {}
    for name, default in recipe_spec.defaults.items():
        value = given.get(name, default)
        rests = "betas" not in group and recipe_spec.rests(name, group.get(name, value))
        if name == "momentum" and lends_beta and not rests:
            momentum = group.pop(name, value)
            group.setdefault("betas", (0.0 if momentum is None else momentum,))
        else:
            group.setdefault(name, value)
    if unsaid and "momentum" in group and _rests(group["momentum"]):
        if own or "momentum" not in given:  # what needs a momentum is refused where nobody gave one
            recipe_spec.resting(group)
        group["momentum"] = 0.0  # monitors and schedulers read a number
    role = group.pop("role", None)
    if role is not None:
        group["roles"] = [role] * len(group["params"])
    if "roles" in group and len(group["roles"]) != len(group["params"]):
        raise ValueError(f"{len(group['roles'])} roles for {len(group['params'])} parameters; give one string each")
    for words in group.get("roles", ()):
        if not isinstance(words, str):
            raise TypeError(f"{recipe_spec.name}: role={words!r} is a {type(words).__name__}; give words in one string")
        for word in words.split():
            check_role(word)


def refuse_unusable(group: Group, chain: Chain, taken: Iterable[Tensor]) -> None:
    """Refuse tensors that cannot be optimized, or that another group has, or that this chain cannot serve.

    Whether it can serve what has no shape yet shows when that has one.

    Args:
        group: a completed group.
        chain: what it runs.
        taken: the parameters of the groups before it.

    Raises:
        ValueError: there is one; names it, and says what to do.
    """
    taken, recipe = set(taken), group["recipe"]
    for at, (param, spec) in enumerate(zip(group["params"], specs(group, len(taken)))):
        if param in taken:
            spec = spec or f"parameter {at}, a lazy one,"
            raise ValueError(f"{recipe}: {spec} is given twice; each parameter belongs to one group, once")
        taken.add(param)
        if spec is None:
            continue
        if not (param.is_floating_point() or param.is_complex()):
            kind = param.dtype
            raise ValueError(f"{recipe}: {spec} holds {kind}; only floating and complex tensors can be optimized")
        if not (param.is_leaf or param.retains_grad):
            raise ValueError(f"{recipe}: {spec} is no leaf: it was computed from others; give it as a nn.Parameter")
        if param.dtype == torch.complex32:
            raise ValueError(f"{recipe}: {spec} is complex32, which torch cannot step; use complex64")
        try:
            spec.policy.check(spec)
            chain.check(spec)
        except ValueError as refusal:
            raise ValueError(f"{recipe}: {refusal}") from None
