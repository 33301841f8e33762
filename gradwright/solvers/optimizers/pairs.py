"""Pairs: a memory of L-BFGS that knows whose entries its columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.core.number import shown
from gradwright.solvers.quasi_newton.memory import LBFGSMemory

GRAMS = ("_sy", "_ss", "_yy")


@dataclass
class Pairs:
    """A memory whose columns belong to these parameters, in this order."""

    parameters: tuple[Tensor, ...]
    memory: LBFGSMemory

    def matches(self, parameters: Sequence[Tensor]) -> bool:
        """Whether they are of the same parameters in any order. A pair of others says nothing about these: the
        gradients behind it are of another function."""
        return {id(p) for p in parameters} == {id(p) for p in self.parameters}

    def arranged(self, parameters: Sequence[Tensor], like: Tensor) -> Pairs:
        """The same pairs for the parameters in another order, where ``like`` is and in its dtype."""
        memory = self.memory
        if [id(p) for p in parameters] != [id(p) for p in self.parameters]:
            s, y = (
                torch.cat([parts[p].flatten(1) for p in parameters], dim=1)
                for parts in (self._split(memory.s), self._split(memory.y))
            )
        else:
            s, y = memory.s, memory.y
        memory.s, memory.y = s.to(like), y.to(like)
        return Pairs(tuple(parameters), memory)

    def entries(self) -> dict[Tensor, dict[str, Tensor]]:
        """The columns of each parameter, in its shape."""
        s, y = self._split(self.memory.s), self._split(self.memory.y)
        return {p: {"s": s[p], "y": y[p]} for p in self.parameters}

    def numbers(self) -> dict[str, Any]:
        """What belongs to the pairs and not to single parameters."""
        grams = {key.strip("_"): getattr(self.memory, key).clone() for key in GRAMS}
        return {"order": list(self.memory._order), **grams}

    def _split(self, rows: Tensor) -> dict[Tensor, Tensor]:
        columns = rows.split([p.numel() for p in self.parameters], dim=1)
        return {p: part.view(len(rows), *p.shape) for p, part in zip(self.parameters, columns)}


def check_pairs(numbers: Any, capacity: int) -> None:
    """Refuse what :meth:`Pairs.numbers` cannot have returned.

    Raises:
        ValueError: it is not of that form; says where.
    """
    names = {"order", *(key.strip("_") for key in GRAMS)}
    if not isinstance(numbers, Mapping) or set(numbers) != names:
        raise ValueError(f"state_dict: pairs must hold {', '.join(sorted(names))}; it is damaged")
    order = numbers["order"]
    if not isinstance(order, list) or sorted(order) != list(range(len(order))) or len(order) > capacity:
        raise ValueError(
            f"state_dict: the order of pairs is {shown(order)}, expected places below {capacity}, each once"
        )
    for key in names - {"order"}:
        gram = numbers[key]
        if not isinstance(gram, Tensor) or gram.shape != (capacity, capacity) or not bool(gram.isfinite().all()):
            raise ValueError(f"state_dict: {key!r} of the pairs must be a finite {capacity} by {capacity} tensor")


def assembled(numbers: Mapping[str, Any] | None, entries: Mapping[Tensor, Mapping[str, Tensor]]) -> Pairs | None:
    """The pairs that ``numbers`` and ``entries`` were taken from.

    Raises:
        ValueError: one is there without the other.
    """
    found = {p: each for p, each in entries.items() if "s" in each or "y" in each}
    if (numbers is None) != (not found) or any(set(each) < {"s", "y"} for each in found.values()):
        raise ValueError("state_dict: the pairs (s, y) of L-BFGS are not complete; it is damaged")
    if numbers is None:
        return None
    first = next(iter(found.values()))["s"]
    s, y = (torch.cat([each[key].flatten(1).to(first) for each in found.values()], dim=1) for key in ("s", "y"))
    memory = LBFGSMemory(s.shape[1], len(s), s)
    memory.s, memory.y, memory._order = s, y, list(numbers["order"])
    for key in GRAMS:
        setattr(memory, key, numbers[key.strip("_")].cpu().clone())
    return Pairs(tuple(found), memory)
