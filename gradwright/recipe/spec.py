"""RecipeSpec: a named function from hyper-parameters to a chain."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from gradwright.core import Chain, chain
from gradwright.core.transform import Transform

_FLOAT = r"float\b|(typing\.)?Optional\[float\]|None \| float\b"
"""Annotations of a single float, where the default is not one."""


@dataclass(frozen=True, eq=False)
class RecipeSpec:
    """What a recipe is, apart from the class that runs it.

    Args:
        name: the published name.
        build: the recipe function.
        paper: where it comes from.
        traits: words by which recipes are found and which the contract checks.
        only: a selector of the parameters it can serve, where it cannot serve all.
        signed: hyper-parameters that may be negative.
        torch_state: what ``torch.optim`` calls each slot, where it has the method.
        cycled: hyper-parameters that torch's schedulers may cycle even while they are ``None``.

    Attributes:
        defaults: the hyper-parameters with their defaults.
        floats: those that are a single float, or ``None`` where that is the default.
        whole: those that are annotated ``int``.
    """

    name: str
    build: Callable[..., Transform]
    paper: str = ""
    traits: frozenset[str] = frozenset()
    only: str | None = None
    signed: frozenset[str] = frozenset()
    torch_state: Mapping[str, str] = field(default_factory=dict)
    cycled: frozenset[str] = frozenset()
    defaults: dict[str, Any] = field(init=False)
    floats: frozenset[str] = field(init=False)
    whole: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.build).parameters
        missing = [name for name, p in parameters.items() if p.default is p.empty]
        if missing:
            raise TypeError(
                f"recipe {self.name}: {', '.join(missing)} need a default, so that everyone starts somewhere"
            )
        kinds = {
            name: p.annotation.__name__ if p.annotation in (int, float) else str(p.annotation)
            for name, p in parameters.items()
        }
        floats = {n for n, p in parameters.items() if isinstance(p.default, float) or re.match(_FLOAT, kinds[n])}
        object.__setattr__(self, "defaults", {name: p.default for name, p in parameters.items()})
        object.__setattr__(self, "floats", frozenset(floats))
        object.__setattr__(self, "whole", frozenset(name for name, kind in kinds.items() if kind == "int"))

    def chain(self, group: Mapping[str, Any]) -> Chain:
        """The chain for the hyper-parameters of a param group.

        A group that carries ``betas`` but no ``momentum`` lends its first beta, so that schedulers which cycle
        momentum find one name in all groups of a routed optimizer.

        Raises:
            ValueError, TypeError: a hyper-parameter is out of range or of the wrong kind; says which.
        """
        knobs = self.knobs(group)
        try:
            built = self.build(**knobs)
        except (TypeError, ValueError) as refusal:  # a part knows its own name, not the recipe's
            if str(refusal).startswith(f"{self.name}: "):
                raise
            kind = TypeError if isinstance(refusal, TypeError) else ValueError
            raise kind(f"{self.name}: {refusal}") from refusal
        return built if isinstance(built, Chain) else chain(built)

    def rests(self, name: str, value: Any) -> bool:
        """Whether a hyper-parameter is a momentum that is switched off, so that schedulers have nothing to cycle."""
        return name == "momentum" and value is None and name not in self.cycled

    def knobs(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's own hyper-parameters, taken from a param group and checked."""
        found = {}
        for name, default in self.defaults.items():
            if name in group:
                value = group[name]
            elif name == "momentum" and "betas" in group:
                value = group["betas"][0]
            else:
                value = default
            found[name] = self._checked(name, value, default)
        return found

    def _checked(self, name: str, value: Any, default: Any) -> Any:
        if value is None and default is None:
            return None
        if name in self.floats:
            return self._checked_number(name, name, value)
        if isinstance(value, torch.Tensor):
            value = self._host_number(name, value)
        if isinstance(value, (tuple, list)):
            if isinstance(default, tuple) and len(value) != len(default):
                raise ValueError(
                    f"{self.name}: {name}={value!r} has {len(value)} numbers where {len(default)} are needed"
                )
            return tuple(self._checked_number(f"{name}[{i}]", name, entry) for i, entry in enumerate(value))
        if isinstance(default, tuple):
            raise TypeError(f"{self.name}: {name}={value!r} must be {len(default)} numbers, such as {default}")
        if isinstance(default, bool) and not isinstance(value, bool):
            raise TypeError(f"{self.name}: {name}={value!r} is a {type(value).__name__}; give True or False")
        if name in self.whole and (isinstance(value, bool) or not hasattr(value, "__index__")):
            raise TypeError(f"{self.name}: {name}={value!r} is a {type(value).__name__}; give a whole number")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._checked_number(name, name, value)
        return value

    def _checked_number(self, label: str, name: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            value = self._host_number(label, value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            try:
                value = value.item()  # numpy numbers
            except AttributeError:
                raise TypeError(f"{self.name}: {label}={value!r} is a {type(value).__name__}; give a number") from None
        if not math.isfinite(value):
            raise ValueError(f"{self.name}: {label}={value} is not finite; give a finite number")
        if value < 0 and name not in self.signed:
            raise ValueError(f"{self.name}: {label}={value:g} is negative; give a number of at least 0")
        if name in ("betas", "momentum") and value >= 1:
            raise ValueError(f"{self.name}: {label}={value:g} must be below 1, or the average never forgets")
        return value

    def _host_number(self, label: str, value: torch.Tensor) -> float:
        if value.numel() != 1:
            raise ValueError(f"{self.name}: {label} is a tensor of shape {tuple(value.shape)}; give one number")
        if value.device.type != "cpu":
            raise ValueError(
                f"{self.name}: {label} is a tensor on {value.device}; reading it would stall the device at every step. "
                "Give a float or a CPU tensor: a schedule changes it freely and nothing recompiles"
            )
        return float(value)
