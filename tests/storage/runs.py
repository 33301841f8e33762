"""Runs of the storage tests: a bowl with noisy gradients that depend on step and shape alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.contract.training import accepts, noise
from gradwright.optimizer.arrays import values_of
from tests.contract.table import FIRST, KINDS

SHAPES = ((6, 64), (4, 45), (33,), (4, 3, 3, 3), ())
FORMATS = (
    (torch.float32, "8bit", "plain"),
    (torch.float32, "bfloat16", "plain"),
    (torch.bfloat16, "8bit", "split24"),
    (torch.bfloat16, "float32", "split32"),
    (torch.bfloat16, "bfloat16", "stochastic"),
    (torch.bfloat16, "auto", "plain"),
    (torch.float16, "8bit", "split24"),
    (torch.float16, "auto", "stochastic"),
)
"""Types of parameters with formats of state and weights, every one of which occurs."""
COMMON = frozenset({"AdamW", "Lion", "ScheduleFreeAdamW"})


def _is_whole(row: Any) -> bool:
    """Whether the parts of a form get on with one another; some combinations are in the table because they do not."""
    try:
        row.recipe.spec.chain(row.knobs).check_order(())
    except ValueError:
        return False
    return True


ALL = tuple(row for row in FIRST if _is_whole(row))
QUICK = tuple(row for row in ALL if row in KINDS or row.recipe.recipe_name in COMMON)
"""A few recipes that have every trait between them, and those that most people use."""


class Run:
    """A recipe with formats at work; what it does is the same in every run.

    Args:
        row: of the contract's table.
        dtype, state, weights: the formats.
        engine: what steps.
        shapes: of the parameters; those that the recipe does not serve are left out.
    """

    def __init__(
        self,
        row: Any,
        dtype: torch.dtype,
        state: str,
        weights: str,
        engine: str = "eager",
        shapes: Sequence[Sequence[int]] = SHAPES,
    ) -> None:
        made = [noise(1000 + at, shape).to(torch.bfloat16).to(dtype) for at, shape in enumerate(shapes)]
        self.params = [one.requires_grad_() for one in made if accepts(row.recipe, row.knobs, one.float())]
        formats = {"state": state, "weights": weights, "engine": engine}
        self.optimizer = row.recipe(self.params, **row.knobs, **formats)
        self.time = 0

    def gradients(self, towards: Sequence[Tensor] | None = None) -> list[Tensor]:
        """What leads to a bowl's bottom at 1, rounded to bfloat16, from the weights of this run or of another one."""
        places = self.params if towards is None else towards
        return [
            (place.detach().float() - 1 + 0.3 * noise(100 * self.time + at, place.shape)).bfloat16()
            for at, place in enumerate(places)
        ]

    def step(self, count: int = 1) -> Run:
        """Take steps on the gradients of the bowl."""
        for _ in range(count):
            self.step_on(self.gradients())
        return self

    def step_on(self, gradients: Sequence[Tensor]) -> None:
        """Take one step."""
        for param, gradient in zip(self.params, gradients):
            param.grad = gradient.to(param.dtype)
        self.optimizer.step(loss=torch.tensor(1.0 / (1 + self.time)))
        self.time += 1

    def far(self) -> float:
        """The distance from the bottom."""
        full = self.optimizer.full_weights().values()
        return float(sum(((one - 1) ** 2).sum() for one in full)) ** 0.5

    def arrays(self) -> dict[str, Tensor]:
        """All weights and arrays of state by name."""
        found = {}
        for at, param in enumerate(self.params):
            found[f"weights {at}"] = param.detach()
            for name, value in self.optimizer.state[param].items():
                if isinstance(value, Tensor):
                    found[f"{name} {at}"] = value
        return found

    def values(self) -> dict[str, Tensor]:
        """What weights and state are read as, in double, by name; packed bits as they are."""
        found = {f"weights {name}": value.double() for name, value in self.optimizer.full_weights().items()}
        for at, param in enumerate(self.params):
            state = self.optimizer.state[param]
            whole = [name for name, value in state.items() if isinstance(value, Tensor) and ":" not in name]
            found |= {f"{name} {at}": values_of(state, name).double() for name in whole}
        return found


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """The arrays that are not the same bit for bit."""
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


SHARE = 0.002
"""How many entries engines may round apart; at least one of a tensor."""
AT_A_BORDER = frozenset({"AMMSGD"})
"""What is not compared: its first average is the gradient, the largest of a group is a bfloat16 number here, and an
engine that finds 1e-8 more takes the next scale."""


def agree(mine: Run, its: Run, share: float = SHARE) -> None:
    """Two engines took the same steps: codes are equal, and what is read is, to the last places of float32.

    They are not all equal bit for bit, since plain torch takes roots from a vector library that may be off by a last
    place, and engines add up norms in orders of their own. Of two values that are 1e-7 apart, some ten thousandths of
    the distance between two codes, one in as many is rounded to another code: the one beside it.
    """
    mine_held, its_held = mine.values(), its.values()
    assert mine_held.keys() == its_held.keys()
    for name, expected in its_held.items():
        found = mine_held[name]
        scale = float(expected.abs().max()) if expected.numel() else 0.0
        off = (found - expected).abs()
        others = int((off > 2e-6 * scale).sum())
        assert others <= 1 + share * expected.numel(), f"{others} of {expected.numel()} entries of {name} differ"
        assert float(off.max()) <= 0.02 * scale, f"{name} is {float(off.max()):.2g} off, of {scale:.2g}"
