"""Evaluation: one evaluation with its autograd graph, from which gradients and curvature products are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.problem.hooks import hooked, silenced
from gradwright.solvers.problem.hooks import masks as masks_of
from gradwright.solvers.problem.placement import Placement


@dataclass
class Evaluation:
    """One evaluation of the objective: its value and the graph behind it.

    Args:
        loss: the 0-d value, with its graph.
        leaves: the tensors to differentiate with respect to; their numbers in order are the flat vector.
        extras: what the function returned beside the loss: the outputs for a Gauss-Newton product, say.
        placement: puts this point's numbers into the leaves, where others write to them (a module's parameters).
        given: a gradient that the user computed, flat; autograd is not asked then.
        masks: what hooks on the leaves leave of the gradient; left out, they are asked with the first gradient.
    """

    loss: Tensor
    leaves: Sequence[Tensor]
    extras: Any = None
    placement: Placement | None = None
    given: Callable[[], Tensor] | None = None
    masks: Sequence[Tensor | None] | None = None
    _slope: list[Tensor] | None = field(default=None, repr=False)

    def refresh(self) -> None:
        """Put this point's numbers into the leaves."""
        if self.placement is not None:
            self.placement.put()

    def hold(self) -> None:
        """Put them there if others may be there; enough for a second derivative, before which nothing ran but ours."""
        if self.placement is not None:
            self.placement.again()

    def gradient(self, keep_graph: bool = False) -> Tensor:
        """The gradient as a detached flat vector; with ``keep_graph`` it can be differentiated once more.

        Raises:
            ValueError: the value depends on no leaf, or a hook on a leaf does not only set entries to zero.
        """
        if self.given is not None:
            return self.given()
        self.refresh()
        parts = self._derivative(self.loss, None, create_graph=keep_graph, required=True)
        if self.masks is None and hooked(self.leaves):
            self.masks = masks_of(self.leaves, [part.detach() for part in parts])
        parts = self._masked(parts)
        self._slope = parts if keep_graph else None
        return self._flat([part.detach() for part in parts])

    def slope(self) -> list[Tensor]:
        """The gradient with its graph, a tensor for each leaf."""
        if self._slope is None:
            self.gradient(keep_graph=True)
        assert self._slope is not None
        return self._slope

    def curved(self, v: Tensor) -> Tensor:
        """∇²f v as a detached flat vector, through the graph of the gradient, which is kept."""
        pieces = zip(self.slope(), v.split([leaf.numel() for leaf in self.leaves]))
        pairs = [(slope, piece.view_as(slope).to(slope.device)) for slope, piece in pieces if slope.requires_grad]
        if not pairs:  # a linear function
            return torch.zeros_like(v)
        self.hold()
        outputs, weights = zip(*pairs)
        with silenced(self.leaves):
            parts = torch.autograd.grad(outputs, self.leaves, weights, retain_graph=True, allow_unused=True)
        return self._flat(self._masked(self._filled(parts)))

    def grad(self, output: Tensor, weights: Tensor | None = None, create_graph: bool = False) -> Tensor:
        """Jᵀ weights for ``output`` as a function of the leaves, flat; the graph is kept. Unused leaves give zeros.

        The answer is on the device of the first leaf. With ``create_graph`` it has a graph under ``torch.no_grad`` too,
        where callers judge and step.
        """
        if self.masks is None and hooked(self.leaves):
            self.gradient()
        return self._flat(self._masked(self._derivative(output, weights, create_graph)))

    def visible(self, v: Tensor) -> Tensor:
        """A flat vector without the entries that hooks mask."""
        if self.masks is None:
            return v
        parts = [torch.ones_like(leaf) if mask is None else mask for leaf, mask in zip(self.leaves, self.masks)]
        return v * self._flat(parts).to(v)

    def _derivative(
        self, output: Tensor, weights: Tensor | None, create_graph: bool, required: bool = False
    ) -> list[Tensor]:
        """One tensor for each leaf, as autograd has them without the leaves' own hooks."""
        with torch.set_grad_enabled(create_graph or torch.is_grad_enabled()), silenced(self.leaves):
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
            return self._filled(parts)

    def _filled(self, parts: Sequence[Tensor | None]) -> list[Tensor]:
        return [torch.zeros_like(leaf) if part is None else dense(part) for leaf, part in zip(self.leaves, parts)]

    def _masked(self, parts: list[Tensor]) -> list[Tensor]:
        if self.masks is None:
            return parts
        return [part if mask is None else part * mask for part, mask in zip(parts, self.masks)]

    def _flat(self, parts: Sequence[Tensor]) -> Tensor:
        device = self.leaves[0].device
        return torch.cat([part.reshape(-1).to(device) for part in parts])


def dense(part: Tensor) -> Tensor:
    """A gradient as a dense tensor: an embedding with ``sparse=True`` gives a sparse one."""
    return part.to_dense() if part.is_sparse else part


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
