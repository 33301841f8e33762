"""Torch forms: where a method of ``torch.optim`` and the recipe of the same name differ in their hyper-parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from gradwright.core.number import shown
from gradwright.recipe.spec import RecipeSpec
from gradwright.transforms.matrix.coefficients import COEFFICIENTS

Settings = dict[str, Any]


def _as_it_is(settings: Settings, dtype: torch.dtype) -> Settings:
    return settings


@dataclass(frozen=True)
class TorchForm:
    """How the hyper-parameters of a recipe and of ``torch.optim``'s class of the same name translate.

    Args:
        fixed: the recipe's hyper-parameters that torch does not have, at the values that make its method torch's.
        renamed: torch's names of others.
        counts: whether torch keeps a step count beside each parameter.
        from_the_start: whether torch makes state when it is given parameters, and misses it where it is not loaded.
        derived: what torch keeps although it follows from the step count and the settings, which is how it is written;
            it is not read.
        read: the settings of torch's group in the recipe's words, given the type of the parameters.
        write: the same in torch's words.

    ``read`` and ``write`` raise a ``ValueError`` that names what has no counterpart on the other side.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    counts: bool = True
    from_the_start: bool = False
    derived: Mapping[str, Callable[[float, Settings], float]] = field(default_factory=dict)
    read: Callable[[Settings, torch.dtype], Settings] = _as_it_is
    write: Callable[[Settings, torch.dtype], Settings] = _as_it_is


def _read_sgd(settings: Settings, dtype: torch.dtype) -> Settings:
    # without a momentum torch does not look at the dampening, which the recipe refuses as a setting without effect
    return settings if settings.get("momentum", 0) else {**settings, "dampening": 0.0}


def _read_decay(decoupled: bool, other: str) -> Callable[[Settings, torch.dtype], Settings]:
    def read(settings: Settings, dtype: torch.dtype) -> Settings:
        settings = dict(settings)
        saved = settings.pop("decoupled_weight_decay", decoupled)
        if bool(saved) != decoupled and settings.get("weight_decay", 0):
            raise ValueError(
                f"it was saved with decoupled_weight_decay={saved} and weight_decay={shown(settings['weight_decay'])}; "
                f"load it into gradwright.{other}"
            )
        return settings

    return read


def _read_adafactor(settings: Settings, dtype: torch.dtype) -> Settings:
    eps = settings.get("eps")
    if isinstance(eps, (tuple, list)) and len(eps) == 2 and eps[0] is None:
        return {**settings, "eps": (torch.finfo(dtype).eps, eps[1])}
    return settings


EPS_OF_MUON = 1e-7
"""The least norm by which ``torch.optim.Muon`` divides a matrix; the recipe divides the smallest by their own."""


def _read_muon(settings: Settings, dtype: torch.dtype) -> Settings:
    settings = dict(settings)
    eps = settings.pop("eps", EPS_OF_MUON)
    if not isinstance(eps, (int, float)) or not 0 <= eps <= EPS_OF_MUON:
        raise ValueError(f"eps={shown(eps)} damps small gradients, which this recipe does not do; only {EPS_OF_MUON:g}")
    row, steps = settings.pop("ns_coefficients", COEFFICIENTS["keller"][0]), settings.pop("ns_steps", 5)
    name = next((name for name, rows in COEFFICIENTS.items() if _repeats(rows, row, steps)), None)
    if name is None:
        raise ValueError(
            f"ns_coefficients={shown(row)} with ns_steps={shown(steps)} are no set that this recipe knows; it has "
            f"{', '.join(COEFFICIENTS)}"
        )
    adjust = settings.pop("adjust_lr", None)
    return {**settings, "coefficients": name, "adjust_lr": "original" if adjust is None else adjust}


def _repeats(rows: Any, row: Any, steps: Any) -> bool:
    alike = isinstance(row, (tuple, list)) and len(row) == 3 and len(set(rows)) == 1 and len(rows) == steps
    return alike and all(math.isclose(one, other, rel_tol=1e-12) for one, other in zip(rows[0], row))


def _write_muon(settings: Settings, dtype: torch.dtype) -> Settings:
    settings = dict(settings)
    name = settings.pop("coefficients")
    rows = COEFFICIENTS[name]
    if len(set(rows)) > 1:
        raise ValueError(f"coefficients={name!r} change from one iteration to the next, which torch's do not")
    if settings["adjust_lr"] not in ("original", "match_rms_adamw"):
        raise ValueError(f"adjust_lr={settings['adjust_lr']!r} is none of torch's: original, match_rms_adamw")
    adjust = None if settings["adjust_lr"] == "original" else settings["adjust_lr"]
    return {**settings, "adjust_lr": adjust, "ns_coefficients": rows[0], "ns_steps": len(rows), "eps": EPS_OF_MUON}


def _write_momentum(settings: Settings, dtype: torch.dtype) -> Settings:
    return {**settings, "momentum": settings["momentum"] or 0.0}


FORMS: dict[str, TorchForm] = {
    "SGD": TorchForm(counts=False, read=_read_sgd, write=_write_momentum),
    "RMSprop": TorchForm(write=_write_momentum),
    "Adagrad": TorchForm(from_the_start=True),
    "ASGD": TorchForm(derived={"mu": lambda step, settings: 1 / max(1.0, step - settings["t0"])}),
    "Adam": TorchForm(read=_read_decay(False, "AdamW")),
    "AdamW": TorchForm(read=_read_decay(True, "Adam")),
    "NAdam": TorchForm(fixed={"form": "torch"}),
    "RAdam": TorchForm(fixed={"degenerated_to_sgd": True}),
    "Adafactor": TorchForm(
        fixed={"form": "torch", "relative_step": True, "scale_parameter": True, "momentum": None},
        read=_read_adafactor,
    ),
    "Muon": TorchForm(
        fixed={"norm": "frobenius", "split": 1, "lazy": False},
        renamed={"adjust_lr_fn": "adjust_lr"},
        counts=False,
        read=_read_muon,
        write=_write_muon,
    ),
}
"""Recipes whose hyper-parameters are not simply torch's."""


def form_of(recipe_spec: RecipeSpec) -> TorchForm:
    """The form of a recipe that declares ``torch_state``; torch's own names and values where the table has none."""
    return FORMS.get(recipe_spec.name, TorchForm())


@cache
def torch_defaults(name: str) -> Mapping[str, Any]:
    """The keys that a group of ``torch.optim``'s class has, with their defaults, in the version that is installed.

    Raises:
        ValueError: there is no such class in this version.
    """
    cls = getattr(torch.optim, name, None)
    if cls is None:
        raise ValueError(f"torch {torch.__version__} has no torch.optim.{name}")
    defaults: Mapping[str, Any] = cls([torch.zeros(1, 1, device="cpu")]).defaults
    return defaults


@cache
def torch_words() -> frozenset[str]:
    """Every hyper-parameter of any class of ``torch.optim``."""
    found: set[str] = set()
    for name in torch.optim.__all__:
        cls: Any = getattr(torch.optim, name, None)
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer) and cls is not torch.optim.Optimizer:
            made: Any = cls
            found |= made([torch.zeros(1, 1, device="cpu")]).defaults.keys()
    return frozenset(found)
