"""Check: one clause of the contract; run_contract: all of them on one recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from gradwright.optimizer.recipe import Recipe

RecipeClass = type[Recipe[...]]
Knobs = Mapping[str, Any]
Run = Callable[[RecipeClass, Knobs], None]


class Outcome(NamedTuple):
    """What came of one check.

    Attributes:
        check: its name.
        status: ``passed``, ``excused`` or ``failed``.
        sentence: what holds, why it was not asked, or what is wrong.
    """

    check: str
    status: Literal["passed", "excused", "failed"]
    sentence: str


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Args:
        name: the name of the function.
        says: what holds if it passes, in one sentence.
        run: a function of a recipe class and hyper-parameters that raises ``AssertionError`` with a sentence.
        claim: the trait that makes the claim; recipes without it are not asked.
        excused_by: traits of recipes that cannot meet it, each with the reason.
    """

    name: str
    says: str
    run: Run
    claim: str | None
    excused_by: Mapping[str, str]

    def excuse(self, recipe: RecipeClass) -> str:
        """Why this recipe need not meet the clause; empty if it must."""
        traits = recipe.spec.traits
        if self.claim is not None and self.claim not in traits:
            return f"it does not claim to be {self.claim}"
        return next((f"{trait}: {why}" for trait, why in self.excused_by.items() if trait in traits), "")


CHECKS: dict[str, Check] = {}
"""Every clause by name."""


def check(*, claim: str | None = None, **excused_by: str) -> Callable[[Run], Run]:
    """Enter a function as a clause of the contract, under its own name and the first line of its docstring."""

    def decorate(run: Run) -> Run:
        name = run.__name__
        says = (run.__doc__ or "").strip().splitlines()[0]
        CHECKS[name] = Check(name, says, run, claim, excused_by)
        return run

    return decorate


def run_contract(
    recipe: RecipeClass, knobs: Knobs | None = None, exceptions: Mapping[str, str] | None = None
) -> list[Outcome]:
    """Run the contract on a recipe.

    Args:
        recipe: the class that ``@recipe`` made.
        knobs: hyper-parameters to run it with; its defaults where not given.
        exceptions: names of checks that it need not meet, each with the reason.

    Returns:
        One outcome for each check, in the contract's order. Nothing is raised: a check that breaks down has failed.

    Raises:
        ValueError: an exception names no check.

    >>> import gradwright
    >>> {outcome.status for outcome in run_contract(gradwright.SGD, {"momentum": 0.9})} <= {"passed", "excused"}
    True
    """
    exceptions = exceptions or {}
    if unknown := sorted(exceptions.keys() - CHECKS.keys()):
        raise ValueError(f"exceptions names {unknown[0]!r}, which is no check; checks are {', '.join(CHECKS)}")
    return [_outcome(one, recipe, knobs or {}, exceptions.get(one.name, "")) for one in CHECKS.values()]


def _outcome(one: Check, recipe: RecipeClass, knobs: Knobs, reason: str) -> Outcome:
    if reason := reason or one.excuse(recipe):
        return Outcome(one.name, "excused", reason)
    try:
        one.run(recipe, knobs)
    except AssertionError as wrong:
        return Outcome(one.name, "failed", str(wrong) or f"not so: {one.says}")
    except Exception as broken:  # a user's recipe may fail in any way; the report has to go on
        return Outcome(one.name, "failed", f"{type(broken).__name__}: {broken}")
    return Outcome(one.name, "passed", one.says)
