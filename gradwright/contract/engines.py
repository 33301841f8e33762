"""Every engine takes the steps of the eager one, which is the definition."""

from __future__ import annotations

from gradwright.contract.asserts import close
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import Training
from gradwright.engine import select
from gradwright.native import build


@check()
def engines_agree(recipe: RecipeClass, knobs: Knobs) -> None:
    """Each engine that this machine has takes the same steps as eager, to rounding."""
    eager = Training(recipe, knobs, engine="eager")
    for engine in select.ENGINES:
        other = Training(recipe, knobs, engine=engine)
        try:
            other.step(6)
        except build.NoCompiler:
            continue
        for one, two in zip(eager.step(6 - eager.time).values(), other.values()):
            close(two, one, f"the engine {engine} steps otherwise than eager", rtol=1e-4, atol=1e-6)
