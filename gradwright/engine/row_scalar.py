"""RowScalar: what is one number for each row of a table, and a host scalar to an update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Parted(Exception):
    """Python has to decide on a number that differs from row to row, and decides otherwise for some rows.

    Args:
        yes: for which rows the answer is yes.
    """

    def __init__(self, yes: Tensor) -> None:
        super().__init__("rows of different ages call for different updates")
        self.yes = yes


class RowScalar(Tensor):
    """A column of host scalars, such as the step counts of rows: in double among each other and with Python's numbers.

    Beside other tensors it is rounded to their type, as a host scalar is. Where an update decides in Python on what is
    computed from such numbers alone, as in ``if ctx.step == 1``, rows that would go different ways raise
    :class:`Parted`, so that an update need not know that it sees many ages at once.
    """

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        dtype = next((x.dtype for x in args if _is_plain(x) and x.is_floating_point()), None)
        beside = dtype is not None or any(map(_is_plain, args))
        with torch._C.DisableTorchFunctionSubclass():
            if dtype is not None:
                args = tuple(x.to(dtype) if isinstance(x, cls) and x.is_floating_point() else x for x in args)
            answer = func(*args, **(kwargs or {}))
        return answer.as_subclass(cls) if isinstance(answer, Tensor) and not beside else answer

    def __bool__(self) -> bool:
        answers = plain(self).flatten() != 0
        first = bool(answers[0])
        if bool((answers == first).all()):
            return first
        raise Parted(answers)


def plain(value: Any) -> Any:
    """The tensor that a column of host scalars is."""
    if not isinstance(value, RowScalar):
        return value
    with torch._C.DisableTorchFunctionSubclass():
        return value.as_subclass(Tensor)


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and not isinstance(value, RowScalar)
