"""Exact Hessian products by differentiating twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import Product
from gradwright.solvers.problem.curvature import Curvature, Situation
from gradwright.solvers.problem.sources import FunctionSource


@dataclass(frozen=True)
class DoubleBackward(Curvature):
    """Hv = ∂(gᵀv)/∂x, through the graph of the gradient, which is kept for all products at a point.

    A product of a small perceptron costs 1.6 to 1.8 gradients (``docs/solvers.md``); the price is the memory of one
    graph for as long as the point is current.
    """

    keeps_graph: ClassVar[bool] = True

    def product(self, at: Situation) -> Product:
        at.evaluation.slope()
        return at.evaluation.curved


@dataclass(frozen=True)
class ForwardOverReverse(Curvature):
    """Hv as the derivative of the gradient along v, by forward-mode differentiation of the reverse pass.

    It keeps no graph between products, so it needs less memory than :class:`DoubleBackward` and more time: about 3.6
    gradients a product. The function must be one of a tensor or a dict, and every operation in it must support
    forward-mode differentiation.
    """

    def product(self, at: Situation) -> Product:
        source, x = at.source, at.flat
        if not isinstance(source, FunctionSource) or source.jac is not None:
            raise ValueError(
                'hvp="forward-over-reverse" differentiates a function of a tensor or a dict by itself; for a module, '
                'a closure, or a given jac use hvp="double-backward" or "finite-difference"'
            )

        def value(flat: Tensor) -> Tensor:
            answer = source.fun(source.layout.structured(flat))
            return (answer[0] if isinstance(answer, tuple) else answer).reshape(())

        gradient = torch.func.grad(value)

        @torch.enable_grad()
        def times(v: Tensor) -> Tensor:
            return torch.func.jvp(gradient, (x,), (v,))[1].detach()

        return times
