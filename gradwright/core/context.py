"""All that a transform may see beside its own state, and the one thing it may ask of all parameters."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from gradwright.core.spec import ParamSpec


class Context(NamedTuple):
    """What an ``update`` may look at.

    Attributes:
        param: the parameter before the step, in the computing type (float32 at least).
        grad: the gradient after the condition stage.
        step: this parameter's own age: 1 at its first update.
        clock: the optimizer's steps: 1, 2, ... for cycles that must be in phase everywhere.
        loss: the loss of this step, 0-d and detached, for transforms that declare the need.
        spec: shape, roles and name of the parameter.
        moment: the estimate of E[g²] that the last ``Precondition`` divided by.
        spare: whether the memory of ``u`` is nobody else's, so that an ``update`` may put its answer there. It need
            not, and nothing else may ever be written.
    """

    param: Tensor
    grad: Tensor
    step: float
    clock: float
    loss: Tensor | None
    spec: ParamSpec
    moment: Tensor | None = None
    spare: bool = False


class Total:
    """A number summed over every parameter that asks for it, in float64.

    Yielded by an ``update``, which receives the sum: ``norm2 = yield Total("grad_norm2", g.square().sum())``,
    or a tuple of sums where several parts are given. The name is known across the whole optimizer.
    """

    __slots__ = ("name", "parts")

    def __init__(self, name: str, *parts: Tensor) -> None:
        if not parts:
            raise ValueError(f"Total({name!r}) has nothing to sum")
        self.name = name
        self.parts = parts
