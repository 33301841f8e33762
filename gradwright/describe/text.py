"""What recipes there are, and what one of them is made of, as plain text."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable

from gradwright.core import HostScalar, ParamSpec, Part, Slot
from gradwright.engine.graph.explain import explain
from gradwright.engine.graph.symbol import Untraceable
from gradwright.recipe.registry import spec_named, specs
from gradwright.recipe.spec import RecipeSpec
from gradwright.recipe.traits import TRAITS

MATRIX = ParamSpec((1024, 1024))


def select(traits: Iterable[str] = ()) -> list[RecipeSpec]:
    """The formulas that have all of ``traits``; a trait after ``!`` must be absent.

    Raises:
        ValueError: there is no such trait; names all.
    """
    wanted = list(traits)
    for trait in wanted:
        if trait.removeprefix("!") not in TRAITS:
            raise ValueError(f"there is no trait {trait.removeprefix('!')!r}; there are {', '.join(TRAITS)}")

    def fits(recipe_spec: RecipeSpec) -> bool:
        return all((t.removeprefix("!") in recipe_spec.traits) != t.startswith("!") for t in wanted)

    return sorted(filter(fits, specs.values()), key=lambda recipe_spec: recipe_spec.name.lower())


def state_bytes(recipe_spec: RecipeSpec, spec: ParamSpec = MATRIX) -> float:
    """State bytes per number of a parameter, at the recipe's defaults; a 1024 x 1024 float32 matrix if not given."""
    held = 0
    for slot in recipe_spec.chain({}).slots(spec).values():
        if isinstance(slot, Slot):
            held += slot.nbytes_for(spec)
    return held / spec.numel


def rows(traits: Iterable[str] = ()) -> list[tuple[str, str, str, str]]:
    """One row a recipe: name, first sentence, state bytes per parameter, traits."""
    return [
        (
            recipe_spec.name,
            (inspect.getdoc(recipe_spec.build) or "").split("\n\n")[0].replace("\n", " "),
            f"{state_bytes(recipe_spec):.2f}".rstrip("0").rstrip("."),
            " ".join(sorted(recipe_spec.traits)),
        )
        for recipe_spec in select(traits)
    ]


def explanation(name: str) -> str:
    """What the recipe called ``name`` is: equations, hyper-parameters, parts, state and source.

    Raises:
        ValueError: there is none; names the nearest.
    """
    recipe_spec = spec_named(name)
    chain = recipe_spec.chain({})
    lines = [recipe_spec.name, "=" * len(recipe_spec.name), "", inspect.getdoc(recipe_spec.build) or "", "", "Defaults"]
    lines += [f"  {key} = {value!r}" for key, value in recipe_spec.defaults.items()]
    lines += ["", "Parts, in the order in which they act"]
    lines += [f"  {_written(link)}" for link in chain.links]
    lines += ["", "One step of a matrix, as the engines run it", *_equations(recipe_spec)]
    lines += ["", "State of each parameter (for a float32 matrix of 1024 x 1024)"]
    lines += _state_lines(recipe_spec)
    lines += ["", "Traits"]
    lines += [f"  {trait}: {TRAITS.get(trait, '')}" for trait in sorted(recipe_spec.traits)]
    if recipe_spec.only is not None:
        lines.append(f"  serves only: {recipe_spec.only}")
    lines += ["", f"Source: {recipe_spec.paper}"]
    return "\n".join(lines)


def latex_equations(name: str) -> str:
    """The equations of a recipe's step on a matrix, in LaTeX, one a line.

    Raises:
        ValueError: there is no such recipe, or its step cannot be traced.
    """
    recipe_spec = spec_named(name)
    try:
        return "\n".join(explain(recipe_spec.chain({}), MATRIX, latex=True).equations)
    except Untraceable as why:
        raise ValueError(f"{recipe_spec.name} has no equations in the graph's words: {why}") from None


def _equations(recipe_spec: RecipeSpec) -> list[str]:
    """The equations that the trace of the recipe's chain gives, or why there is no trace."""
    try:
        return str(explain(recipe_spec.chain({}), MATRIX)).split("\n")
    except Untraceable as why:
        return [f"  runs on plain torch: the graph has no word for {why}"]


def _written(part: Part) -> str:
    fields = dataclasses.fields(part)
    inner = (getattr(part, field.name) for field in fields)
    text = ", ".join(
        f"{field.name}={_written(value) if isinstance(value, Part) else repr(value)}"
        for field, value in zip(fields, inner)
    )
    return f"{type(part).__name__}({text})"


def _state_lines(recipe_spec: RecipeSpec) -> list[str]:
    slots = recipe_spec.chain({}).slots(MATRIX)
    lines = []
    for key, slot in slots.items():
        if isinstance(slot, HostScalar):
            lines.append(f"  {key}: one float on the host, starts at {slot.start:g}")
            continue
        shape = "x".join(map(str, slot.shape_for(MATRIX))) or "one number"
        dtype = str(slot.dtype_for(MATRIX)).removeprefix("torch.")
        whose = ", shared by all parameters" if slot.shared else ""
        start = "the parameter" if slot.start == "param" else f"{slot.start:g}"
        lines.append(f"  {key}: {shape}, {dtype}, starts at {start}{whose}")
    lines.append(f"  {state_bytes(recipe_spec):.3g} bytes per parameter" if slots else "  none")
    return lines
