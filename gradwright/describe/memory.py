"""Memory: what a recipe holds for each number of a parameter, in each format of state and weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

from gradwright.core import ParamSpec, Slot
from gradwright.core.policy import Policy
from gradwright.describe.text import MATRIX, select
from gradwright.recipe.registry import spec_named
from gradwright.recipe.spec import RecipeSpec


class Form(NamedTuple):
    """A type of parameters with formats of state and weights."""

    dtype: torch.dtype
    state: str
    weights: str

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')}, state={self.state!r}, weights={self.weights!r}"


FORMS = (
    Form(torch.float32, "auto", "plain"),
    Form(torch.float32, "8bit", "plain"),
    Form(torch.bfloat16, "auto", "plain"),
    Form(torch.bfloat16, "auto", "split32"),
    Form(torch.bfloat16, "8bit", "split24"),
    Form(torch.bfloat16, "8bit", "stochastic"),
)
"""The ones to choose from at first."""


def held_bytes(recipe_spec: RecipeSpec, form: Form, shape: tuple[int, ...] = MATRIX.shape) -> float:
    """Bytes for each number: the weight, what is kept beside it, its gradient and the recipe's state, at the defaults.

    Args:
        recipe_spec: the recipe.
        form: the formats.
        shape: of the parameter; a matrix of 1024 x 1024 if not given.
    """
    spec = ParamSpec(shape, form.dtype, policy=Policy(form.state, form.weights))
    held = spec.weights.nbytes(shape) + spec.numel * spec.dtype.itemsize
    slots = recipe_spec.chain({}).slots(spec).values()
    return (held + sum(slot.nbytes_for(spec) for slot in slots if isinstance(slot, Slot))) / spec.numel


def memory_rows(traits: Iterable[str] = ()) -> list[tuple[str, ...]]:
    """One row a recipe that has all of ``traits``: its name, then its bytes in each of :data:`FORMS`."""
    return [(one.name, *(shown_bytes(held_bytes(one, form)) for form in FORMS)) for one in select(traits)]


def memory_text(name: str) -> str:
    """What the recipe called ``name`` holds in each of :data:`FORMS`.

    Raises:
        ValueError: there is none; names the nearest.
    """
    recipe_spec, width = spec_named(name), max(len(str(form)) for form in FORMS)
    lines = [f"  {str(form).ljust(width)}  {shown_bytes(held_bytes(recipe_spec, form))}" for form in FORMS]
    return "\n".join(["Bytes per number of such a matrix: weight, gradient and state, by type and format", *lines])


def shown_bytes(count: float) -> str:
    """Bytes with no more digits than say something.

    >>> shown_bytes(7.125), shown_bytes(16.0)
    ('7.12', '16')
    """
    return f"{count:.2f}".rstrip("0").rstrip(".")
