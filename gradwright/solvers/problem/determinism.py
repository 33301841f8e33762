"""Whether a function gives one answer at one point: solvers compare values, so it must."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


class NotDeterministic(ValueError):
    """The function gives different answers at the same point."""


def disagreement(first: float, second: float, eps: float) -> bool:
    """Whether two values differ by more than reordered sums explain."""
    return abs(first - second) > 1e3 * eps * max(abs(first), abs(second))


def refuse_two_values(first: float, second: float, eps: float, who: str) -> None:
    """Compare two values at one point.

    Raises:
        NotDeterministic: they differ by more than reordered sums explain.
    """
    if disagreement(first, second, eps):
        raise NotDeterministic(
            f"{who} is not deterministic: at the same point it gave {first:.8g} and then {second:.8g}. A curvature "
            f"solver compares values, so it must see one function: draw the batch and all random numbers outside of "
            f"it, and call model.eval() or set dropout to 0"
        )


def check_deterministic(value: Callable[[], float], eps: float, who: str = "the closure") -> None:
    """Evaluate twice at the same point and compare.

    Args:
        value: evaluates.
        eps: machine epsilon of the values.
        who: what to call it in the error.

    Raises:
        NotDeterministic: the two values differ.
    """
    refuse_two_values(value(), value(), eps, who)


class Draws:
    """Tells whether random numbers were drawn since it was made: from torch, numpy's global generator or Python's.

    Args:
        device: whose generator of torch's is watched, beside that of the host.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._torch, self._others = self._read()

    def _read(self) -> tuple[list[torch.Tensor], tuple]:
        states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self.device))
        keys: Any
        _, keys, position, *gauss = np.random.get_state()
        return states, (random.getstate(), keys.tobytes(), position, *gauss)

    @property
    def any(self) -> bool:
        """Whether one of the generators has moved on."""
        states, others = self._read()
        return others != self._others or not all(map(torch.equal, states, self._torch))
