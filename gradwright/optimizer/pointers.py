"""Settled: a group's parameters that were looked at once, and how to see that they have not moved since."""

from __future__ import annotations

from operator import is_
from typing import Any

from torch import Tensor

_KINDS = (Tensor.nbytes.__get__, Tensor.is_contiguous)  # type: ignore[attr-defined]


class Settled:
    """Parameters, where they lie, and their states.

    That a parameter lies elsewhere, or another stands in its place, is seen at once. That the same memory now holds
    other data (cut, transposed, of another type) is seen at once where the first or the last parameter is concerned, as
    it is where somebody converts them all, and otherwise within ``ROUND`` steps: to ask everybody at every step would
    cost a tenth of a step of a thousand tensors.
    """

    ROUND = 8

    def __init__(self, params: list[Tensor], states: list[dict[str, Any]], count: int) -> None:
        self.params, self.states, self.count = list(params), states, count
        self.places = list(map(Tensor.data_ptr, params))
        self._kinds = [list(map(kind, params)) for kind in _KINDS]
        self._turn = 0

    def still(self, params: list[Tensor], state: dict[Tensor, dict[str, Any]]) -> bool:
        """Whether these are the parameters, where they were, and ``state`` holds their states."""
        self._turn = (self._turn + 1) % self.ROUND
        some = slice(self._turn, None, self.ROUND)
        return (
            len(params) == len(self.params)
            and all(map(is_, params, self.params))
            and list(map(Tensor.data_ptr, params)) == self.places
            and len(state) == self.count
            and all(state.get(params[end]) is self.states[end] for end in (0, -1))
            and all(kind(params[end]) == found[end] for end in (0, -1) for kind, found in zip(_KINDS, self._kinds))
            and all(list(map(kind, params[some])) == found[some] for kind, found in zip(_KINDS, self._kinds))
        )
