"""Write ``docs/conformance.md``: ``python -m tests.conformance`` from the repository's root, some minutes.

What each recipe and form was compared with, how far it is from its reference, what runs it and what it keeps. The
figures are measured by the functions that the tests hold to their bounds.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import torch

from gradwright.core import ParamSpec, Slot
from gradwright.describe.fusion import FORMS, fusion
from tests.families import families
from tests.families.kinds import Contract, Parity
from tests.parity import test_official_adam_like, test_torch
from tests.parity.test_reference import STEPS, largest_distance

FILE = Path(__file__).parents[1] / "docs" / "conformance.md"

ELSEWHERE = {
    "adaptively_clipped": ("optax",),
    "clipped": ("torch.nn.utils",),
    "value_clipped": ("torch.nn.utils",),
    "Prodigy": ("prodigyopt",),
    "DAdaptAdam": ("dadaptation",),
    "DAdaptSGD": ("dadaptation",),
    "DoG": ("dog-optimizer",),
    "LDoG": ("dog-optimizer",),
    "DoWG": ("optax",),
    "ScheduleFreeSGD": ("schedulefree",),
    "ScheduleFreeAdamW": ("schedulefree",),
    "ScheduleFreeRAdam": ("schedulefree",),
    "SM3": ("optax",),
    "PNM": ("pytorch_optimizer",),
    "AdaPNM": ("pytorch_optimizer",),
    "SOAP": ("pytorch_optimizer",),
    "Lars": ("timm",),
    "Lamb": ("timm",),
    "Signum": ("pytorch_optimizer",),
    "Muon": ("timm",),
}
"""Packages that the tests under ``tests/parity`` compare with in ways of their own."""

HEAD = f"""# Conformance

Every recipe beside its sources of truth. Written by `python -m tests.conformance`; a test sees to it that no recipe or
form is missing.

*Error*: the largest relative difference after any of {STEPS} steps, with a learning rate that changes at every step,
between the eager run and an independent float64 implementation in NumPy written from the equations (`tests/reference`).
The tests bound it by 1e-12 in float64 and 1e-5 in float32. *Also*: official implementations that the tests compare with
where they are installed. *Runs as*: what executes a step of a matrix; fused means one definition printed as C++ and as
Triton, both held to eager by the tests (Triton in its interpreter, and compiled for sm_80 and sm_90, not on a device).
*Bytes*: state per parameter of a float32 matrix of 256 x 128, as declared; the contract checks that it is what is kept.
Worked numbers of the papers are the `WORKED` rows of `tests/families`.
"""


def name_of(row: Contract | Parity) -> str:
    """A recipe in a form, as a user writes it."""
    knobs = ", ".join(f"{key}={value!r}" for key, value in row.knobs.items())
    return f"{row.recipe.recipe_name}({knobs})"


def also(recipe: Any) -> list[str]:
    """The official implementations of a recipe that tests compare with."""
    found = [f"torch.optim.{pair.theirs.__name__}" for pair in test_torch.PAIRS if pair.ours is recipe]
    for pair in test_official_adam_like.PAIRS:
        if pair.ours is recipe:
            package, _, theirs = pair.name.partition(" ")
            theirs = theirs.partition(",")[0]
            found.append({"torch": "torch.optim.", "timm": "timm ", "kozistr": "pytorch_optimizer "}[package] + theirs)
    made_by = recipe.made_by[0].__name__ if recipe.made_by else recipe.recipe_name
    found += ELSEWHERE.get(made_by, ())
    return list(dict.fromkeys(found))


def runs_as(row: Contract | Parity) -> str:
    """What executes a step of a matrix, or of a vector where it serves no matrix."""
    for spec in (FORMS["matrix"], FORMS["vector"]):
        how = fusion(row.recipe.spec, spec, row.knobs)
        if how is not None:
            return "plain torch" if not how.kernels else str(how)
    return "plain torch"


def state_bytes(row: Contract | Parity) -> str:
    spec: ParamSpec = FORMS["matrix"]
    slots = row.recipe.chain(**row.knobs).slots(spec).values()
    held = sum(slot.nbytes_for(spec) for slot in slots if isinstance(slot, Slot))
    return f"{held / spec.numel:.3g}"


def deviations(recipe: Any) -> str:
    """The paragraphs of a recipe's docstring that tell where it departs from its sources."""
    text = inspect.getdoc(recipe.spec.build) or ""
    told = [
        part
        for part in text.split("\n\n")
        if re.match(r"(Deviat|Where|Reconstructed|The authors|UNSURE|Two forms)", part)
    ]
    return " ".join(" ".join(part.split()) for part in told)


def error(row: Parity, dtype: torch.dtype) -> str:
    return f"{largest_distance(row, dtype):.1e}"


def forms() -> dict[Any, list[Parity]]:
    """The rows with a reference, by recipe, in the order of families."""
    found: dict[Any, list[Parity]] = {}
    for module in families().values():
        for row in getattr(module, "PARITY", ()):
            found.setdefault(row.recipe, []).append(row)
    return found


def lines() -> list[str]:
    text = [HEAD]
    recipes = forms()
    own = [recipe for recipe in recipes if recipe.made_by is None]
    made = [recipe for recipe in recipes if recipe.made_by is not None]
    count = sum(len({name_of(row) for row in rows}) for rows in recipes.values())
    text.append(f"{len(own)} recipes, {len(made)} made of them by combinators, {count} forms in all.\n")
    for heading, group in (("Recipes", own), ("Made by combinators", made)):
        text.append(f"## {heading}\n")
        for recipe in sorted(group, key=lambda one: one.recipe_name.lower()):
            text += section(recipe, recipes[recipe])
    return text


def section(recipe: Any, rows: list[Parity]) -> list[str]:
    text = [f"### {recipe.recipe_name}\n", f"Source: {recipe.spec.paper or 'none'}."]
    if official := also(recipe):
        text.append(f"Also: {', '.join(official)}.")
    if told := deviations(recipe):
        text.append(told)
    text += ["", "| form | float64 | float32 | runs as | bytes |", "|---|---|---|---|---|"]
    for row in rows:
        shown = f"{name_of(row)}{f' as {row.role}' if row.role else ''}".replace("|", "\\|")
        note = f" ({row.name})" if row.nan_at else ""
        figures = error(row, torch.float64), error(row, torch.float32)
        text.append(f"| `{shown}`{note} | {figures[0]} | {figures[1]} | {runs_as(row)} | {state_bytes(row)} |")
    return [*text, ""]


if __name__ == "__main__":
    torch.set_num_threads(1)
    FILE.write_text("\n".join(lines()))
    print(f"{FILE}: {len(forms())} recipes")
