"""Evaluation: one evaluation with its autograd graph, from which gradients and curvature products are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


def nothing() -> None:
    """The refresh of an evaluation whose leaves nobody else writes to."""


@dataclass
class Evaluation:
    """One evaluation of the objective: its value and the graph behind it.

    Args:
        loss: the 0-d value, with its graph.
        leaves: the tensors to differentiate with respect to; their numbers in order are the flat vector.
        extras: what the function returned beside the loss: the outputs for a Gauss-Newton product, say.
        refresh: puts this point's numbers back into the leaves, where others write to them (a module's parameters).
        given: a gradient that the user computed, flat; autograd is not asked then.
    """

    loss: Tensor
    leaves: Sequence[Tensor]
    extras: Any = None
    refresh: Callable[[], None] = nothing
    given: Callable[[], Tensor] | None = None
    _slope: Tensor | None = field(default=None, repr=False)

    def gradient(self, keep_graph: bool = False) -> Tensor:
        """The gradient as a detached flat vector; with ``keep_graph`` it can be differentiated once more."""
        if self.given is not None:
            return self.given()
        self.refresh()
        slope = self.grad(self.loss, create_graph=keep_graph, required=True)
        self._slope = slope if keep_graph else None
        return slope.detach()

    def slope(self) -> Tensor:
        """The gradient as a flat vector with its graph."""
        if self._slope is None:
            self.gradient(keep_graph=True)
        assert self._slope is not None
        return self._slope

    def grad(
        self, output: Tensor, weights: Tensor | None = None, create_graph: bool = False, required: bool = False
    ) -> Tensor:
        """Jᵀ weights for ``output`` as a function of the leaves, flat; the graph is kept. Unused leaves give zeros.

        The answer is on the device of the first leaf. With ``create_graph`` it has a graph under ``torch.no_grad`` too,
        where callers judge and step.

        Raises:
            ValueError: ``required``, and the output depends on no leaf.
        """
        with torch.set_grad_enabled(create_graph or torch.is_grad_enabled()):
            parts: tuple[Tensor | None, ...] = ()
            if output.requires_grad or not required:
                parts = torch.autograd.grad(
                    output, self.leaves, weights, retain_graph=True, create_graph=create_graph, allow_unused=True
                )
            if required and all(part is None for part in parts):
                raise ValueError(
                    "fun returned a value that does not depend on x through differentiable operations: compute it from "
                    "x with torch (no .item(), .numpy(), .detach() or no_grad), or give jac; for a module, compute it "
                    "from the module's own parameters"
                )
            filled = [torch.zeros_like(leaf) if part is None else part for leaf, part in zip(self.leaves, parts)]
            return torch.cat([part.reshape(-1).to(self.leaves[0].device) for part in filled])


def scalar(value: Any, who: str) -> Tensor:
    """The value of the objective as a 0-d tensor.

    Raises:
        TypeError: it is not a tensor.
        ValueError: it holds more than one number, or a complex one.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{who} returned a {type(value).__name__}; it must return a tensor with one number")
    if value.numel() != 1:
        raise ValueError(f"{who} returned a tensor of shape {tuple(value.shape)}; it must return one number")
    if value.is_complex():
        raise ValueError(f"{who} returned a complex number; it must return a real one")
    with torch.enable_grad():  # callers may stand under torch.no_grad
        return value.reshape(())
