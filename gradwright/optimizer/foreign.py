"""Settings of other libraries in a param group or a constructor: taken, warned about or refused, never just ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import torch

from gradwright.core.number import as_float, shown
from gradwright.core.warn import warn_user

FLAGS = {
    "foreach": "the engine chooses the fastest way",
    "fused": "the engine chooses the fastest way",
    "capturable": "every step can be captured; see Optimizer.before_replay",
}
"""Arguments of ``torch.optim`` that choose how the same step is executed, and why they have no effect here."""

RATES = ("initial_lr", "max_lr", "min_lr", "swa_lr", "lr_scale", "base_momentum", "max_momentum")
"""Numbers that torch's and timm's schedulers keep in a group."""

KEYS = frozenset({"name", "betas", "differentiable", "offload", *FLAGS, *RATES})
"""Keys of a group that no recipe needs and that have a meaning elsewhere."""

WRAPPERS: dict[str, frozenset[str]] = {
    "lookahead_k": frozenset({"lookahead_slow_buff"}),
    "rho": frozenset({"old_p", "old_g", "old_grad_p", "e_w", "grad", "gv", "sharpness"}),
}
"""What optimizers that wrap another keep in its state, by the group key that shows them: timm's Lookahead, and SAM with
its kin."""

OF_WRAPPERS = frozenset({*WRAPPERS, "lookahead_alpha", "lookahead_step", "adaptive", "sam_eps", "looksam_step"})
"""Hyper-parameters of such wrappers, which these read from the groups."""

RESTING = {"amsgrad": False, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0, "rectify": False}
"""Settings that say nothing where they have this value, so that a recipe without them does what they ask."""


ELSEWHERE = frozenset({"weight_decouple", "decouple", "fixed_decay", "correct_bias", "decoupled_weight_decay"})
"""Hyper-parameters of other libraries that look like misspelt ones of this and are none."""


def check(owner: str, settings: Mapping[str, Any], saved: bool = False) -> None:
    """Check what other libraries put beside a recipe's hyper-parameters.

    Args:
        owner: the recipe's name, for the errors.
        settings: a param group, or the keyword arguments of a constructor.
        saved: whether a checkpoint holds them: then a flag that only chooses the way of execution is no news.

    Raises:
        ValueError: ``differentiable=True`` or ``offload=True``, or a rate that no learning rate can be.
        TypeError: a flag that is no flag, or a rate that is no number.
    """
    for name in ("differentiable", "offload", *FLAGS):
        if settings.get(name) is not None:
            flag(owner, name, settings[name])
    if settings.get("differentiable"):
        raise ValueError(
            f"{owner}: differentiable=True is not supported: steps are not recorded by autograd; leave it out, or use "
            "torch.optim"
        )
    if settings.get("offload"):
        raise ValueError(
            f"{owner}: offload=True, which would keep state on the CPU for parameters on a GPU, is not offered: it has "
            "not been measured on one; leave it out, and give state='8bit' for a state of a quarter of the size"
        )
    for name, why in FLAGS.items():
        if settings.get(name) and not saved:
            warn_user(f"{owner}: {name}=True has no effect; {why}")
    for key in RATES:
        if settings.get(key) is not None:
            rate = as_float(f"{owner}: {key}", settings[key])
            if rate < 0:
                raise ValueError(f"{owner}: {key}={rate:g} is negative; give a number of at least 0")


def flag(owner: str, name: str, value: Any) -> None:
    """Refuse what is neither ``True`` nor ``False``.

    Args:
        owner: the recipe's name, for the error.
        name: what the flag is called.
        value: what was given.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{owner}: {name}={shown(value)} is a {type(value).__name__}; give True or False")


def wrapped_state(group: Mapping[str, Any]) -> frozenset[str]:
    """The entries of a parameter's state that belong to a wrapper which a group shows.

    >>> sorted(wrapped_state({"lr": 0.1, "lookahead_k": 6}))
    ['lookahead_slow_buff']
    """
    return frozenset().union(*(kept for key, kept in WRAPPERS.items() if key in group))


_scaling: WeakSet[torch.optim.Optimizer] = WeakSet()


def applies_scale(optimizer: torch.optim.Optimizer) -> None:
    """Say that this optimizer has a scheduler that multiplies by the ``lr_scale`` of its groups."""
    _scaling.add(optimizer)


def watch_scale(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> None:
    """Warn at the next step if a group has an ``lr_scale`` by which nobody has multiplied its ``lr``.

    ``lr_scale`` is a message to whoever sets ``lr``: timm's schedulers, :func:`gradwright.schedules.lr_scheduler` and
    many training loops set it to the scheduled value times ``lr_scale``. An optimizer that multiplied too would do it
    twice. That nobody did shows at the first step: ``lr`` is still what the group was built with, or one of torch's
    schedulers, which know no ``lr_scale``, has set it.
    """
    scale = group.get("lr_scale")
    if scale is None or float(scale) == 1.0:
        return
    waiting = optimizer.__dict__.get("_scaled_groups")
    if waiting is None:  # one hook for all groups, which stays: to remove one while hooks run breaks torch's loop
        waiting = optimizer.__dict__["_scaled_groups"] = []
        optimizer.register_step_pre_hook(_ask)
    waiting.append((group, float(group["lr"])))


def _ask(optimizer: Any, *_: Any) -> None:
    """Before the first step: has anybody multiplied?"""
    waiting, by_torch = optimizer._scaled_groups, hasattr(optimizer.step, "_wrapped_by_lr_sched")
    while waiting:
        group, built_with = waiting.pop(0)
        lr = float(group["lr"])
        if optimizer not in _scaling and (by_torch or lr == built_with):
            warn_user(
                f"{group['recipe']}: a param group has lr_scale={float(group['lr_scale']):g}, and its lr={lr:g} is not "
                "multiplied by it: the optimizer leaves that to the scheduler. Use gradwright.schedules.lr_scheduler "
                "or timm's, or set the group's lr"
            )
