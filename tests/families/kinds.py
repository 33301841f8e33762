"""The kinds of rows that a family of recipes enters in the tables of the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradwright.transforms as parts
from gradwright import Recipe
from tests.runs import SHAPES

MATRICES = tuple(shape for shape in SHAPES if len(shape) > 1)
GOLDEN_SHAPES = ((3, 2), (2,), (2, 1, 2, 1))
GOLDEN_MATRICES = (GOLDEN_SHAPES[0], GOLDEN_SHAPES[2])


@dataclass(frozen=True)
class Contract:
    """A recipe in one of its forms, as the contract's table lists it.

    Args:
        recipe: its class.
        knobs: the hyper-parameters that make the form.
        exceptions: checks that this form cannot meet, by name, each with the reason.
        ulps: how far one step of two engines may be apart, in units in the last place of what an entry was, is and
            moved: 4 where it is elementwise and 64 where it reduces, if not given; more where rounding runs through a
            long chain of functions, or terms much larger than their sum cancel.
    """

    recipe: type[Recipe[...]]
    knobs: Mapping[str, Any] = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)
    ulps: int | None = None

    def __str__(self) -> str:
        return "-".join([self.recipe.recipe_name, *(f"{key}={value}" for key, value in self.knobs.items())])


@dataclass(frozen=True)
class Parity:
    """A recipe beside its numpy reference: ``knobs`` go to both, ``own`` to the reference alone.

    All tensors have the role, if any. At the steps ``nan_at`` each gradient holds a NaN.
    """

    name: str
    recipe: Any
    method: Callable[..., Any]
    knobs: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    role: str | None = None
    needs_loss: bool = False
    nan_at: tuple[int, ...] = ()

    @property
    def all_knobs(self) -> dict[str, Any]:
        return {**self.recipe.spec.defaults, **self.knobs, **self.own}


@dataclass(frozen=True)
class Worked:
    """A published example: from ``start``, with the gradients ``steps``, the parameter is ``after[t]`` after step t."""

    name: str
    recipe: Any
    knobs: dict[str, Any]
    start: Any
    steps: list[Any]
    after: dict[int, Any]
    state: dict[str, Any] = field(default_factory=dict)
    role: str = ""
    losses: list[float] | None = None
    tolerance: float = 1e-8


@dataclass(frozen=True)
class Variant:
    """A recipe whose walk on the fixed problem is stored; its own defaults but for ``knobs``."""

    recipe: Any
    knobs: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = GOLDEN_SHAPES
    roles: tuple[str, ...] = ("", "", "")
    nan_at: tuple[int, ...] = ()


def variant(
    recipe: Any, lr: float | None = 0.05, shapes: Any = GOLDEN_SHAPES, roles: Any = ("", "", ""), **knobs: Any
) -> Variant:
    nan_at = knobs.pop("nan_at", ())
    return Variant(recipe, {**({} if lr is None else {"lr": lr}), **knobs}, shapes, roles, nan_at)


@dataclass(frozen=True)
class Case:
    """``part`` turns ``u`` into ``answer``, and its state into ``after``; see ``tests/properties/acting.py``."""

    part: Any
    u: Any
    answer: Any
    given: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


def case(part: Any, u: Any, answer: Any, after: dict[str, Any] | None = None, **given: Any) -> Case:
    """A :class:`Case`; a pair of a moment and a denominator stands for the part that divides by them."""
    if isinstance(part, tuple):
        part = parts.Precondition(*part)
    return Case(part, u, answer, given, after or {})
