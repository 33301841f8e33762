"""Fusion: what of a recipe runs as kernels, and what runs on plain torch and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradwright.core import HostScalar, ParamSpec
from gradwright.engine.cpp.printer import print_cpp
from gradwright.engine.graph.explain import LATE
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import trace
from gradwright.engine.plan import planned
from gradwright.recipe.spec import RecipeSpec

FORMS = {
    "matrix": ParamSpec((256, 128), roles=frozenset({"matrix"})),
    "vector": ParamSpec((128,)),
    "convolution": ParamSpec((64, 32, 3, 3), roles=frozenset({"convolution"})),
}
"""The parameters that every recipe is asked about."""


class Fusion(NamedTuple):
    """How a step of one form of parameter runs.

    Attributes:
        kernels: how many kernels; 0 on plain torch.
        links: the parts that run as plain torch between kernels.
        reason: why it all runs on plain torch, where it does.
    """

    kernels: int
    links: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        if not self.kernels:
            return f"plain torch: {self.reason}"
        return f"fused around {', '.join(self.links)}" if self.links else "fused"


def fusion(recipe_spec: RecipeSpec, spec: ParamSpec, knobs: Mapping[str, Any] | None = None) -> Fusion | None:
    """How a step of ``formula`` runs on a parameter of ``spec``; ``None`` if it does not serve such a one.

    Args:
        formula: whose step; one late in training.
        spec: the parameter.
        knobs: hyper-parameters other than the defaults.
    """
    chain = recipe_spec.chain(knobs or {})
    try:
        chain.check(spec)
    except ValueError:
        return None
    if recipe_spec.only is not None and not spec.matches(recipe_spec.only):
        return None
    numbers = {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    try:
        values = {**chain.knobs(), **numbers, "step": LATE, "clock": LATE}
        program = planned(trace(chain, spec, values), spec)
        print_cpp(program)
    except Untraceable as why:
        return Fusion(0, (), f"the graph has no word for {why}")
    return Fusion(len(program.segments), program.links, "")


def fusion_by_form(recipe_spec: RecipeSpec) -> dict[str, str]:
    """For each form of parameter that the recipe serves, how it runs."""
    found = {form: fusion(recipe_spec, spec) for form, spec in FORMS.items()}
    return {form: str(how) for form, how in found.items() if how is not None}


def summary(recipe_spec: RecipeSpec) -> str:
    """In a few words: one answer where all forms agree, else each with its own."""
    found = fusion_by_form(recipe_spec)
    answers = set(found.values())
    if len(answers) == 1:
        return answers.pop()
    return "; ".join(f"{form}: {how}" for form, how in found.items()) or "serves none of the usual parameters"
