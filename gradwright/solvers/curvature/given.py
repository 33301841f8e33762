"""Curvature that the user computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator, Product
from gradwright.solvers.problem.curvature import Curvature, Situation


@dataclass(frozen=True)
class GivenProduct(Curvature):
    """``hvp(x, v)`` by the user; x, v and the answer in the form of x0."""

    function: Callable[[Any, Any], Any]

    def product(self, at: Situation) -> Product:
        layout = at.source.layout
        x = layout.structured(at.flat)
        return lambda v: layout.flatten(self.function(x, layout.structured(v)), "hvp")


@dataclass(frozen=True)
class GivenMatrix(Curvature):
    """``hess(x)`` by the user: an (n, n) tensor or a :class:`LinearOperator` on flat vectors, once per point."""

    function: Callable[[Any], Any]

    def product(self, at: Situation) -> Product:
        layout = at.source.layout
        matrix = self.function(layout.structured(at.flat))
        if isinstance(matrix, LinearOperator):
            return matrix.matvec
        matrix = torch.as_tensor(matrix, dtype=layout.dtype, device=layout.device)
        if matrix.shape != (layout.size, layout.size):
            raise ValueError(f"hess has shape {tuple(matrix.shape)}; it must be ({layout.size}, {layout.size})")

        def times(v: Tensor) -> Tensor:
            return matrix @ v

        return times
