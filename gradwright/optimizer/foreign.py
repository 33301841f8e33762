"""Settings of other libraries in a param group or a constructor: taken, warned about or refused, never just ignored."""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from typing import Any

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

KEYS = frozenset({"name", "betas", "differentiable", *FLAGS, *RATES})
"""Keys of a group that no recipe needs and that have a meaning elsewhere."""

RESTING = {"amsgrad": False, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0, "rectify": False}
"""Settings that say nothing where they have this value, so that a recipe without them does what they ask."""


def check(owner: str, settings: MutableMapping[str, Any], saved: bool = False) -> None:
    """Check what other libraries put beside a recipe's hyper-parameters.

    Args:
        owner: the recipe's name, for the errors.
        settings: a param group, or the keyword arguments of a constructor.
        saved: whether a checkpoint holds them: then a flag that only chooses the way of execution is no news.

    Raises:
        ValueError: ``differentiable=True``, or a rate that no learning rate can be.
        TypeError: a flag that is no flag, or a rate that is no number.
    """
    for name in ("differentiable", *FLAGS):
        if settings.get(name) is not None:
            flag(owner, name, settings[name])
    if settings.get("differentiable"):
        raise ValueError(
            f"{owner}: differentiable=True is not supported: steps are not recorded by autograd; leave it out, or use "
            "torch.optim"
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

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{owner}: {name}={shown(value)} is a {type(value).__name__}; give True or False")


def unscaled(group: MutableMapping[str, Any], built_with: Any) -> bool:
    """Whether a group asks for ``lr_scale`` and its ``lr`` is still the one it was built with.

    ``lr_scale`` is a message to whoever sets ``lr``: timm's schedulers and :func:`gradwright.schedules.lr_scheduler`
    set it to the scheduled value times ``lr_scale``. An optimizer that multiplied too would do it twice.
    """
    scale = group.get("lr_scale")
    if scale is None or math.isclose(float(scale), 1.0):
        return False
    return float(group["lr"]) == built_with
