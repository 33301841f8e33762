"""Curvature as an objective asks for it: products v ↦ Bv at a point. Its kinds are in the room ``curvature``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from gradwright.solvers.linear.operator import Product
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.sources import Source


class Situation(Protocol):
    """What a curvature may look at: the source, the point x in the source's dtype, its evaluation there."""

    source: Source
    flat: Tensor
    evaluation: Evaluation

    def difference_gradient(self, x: Tensor) -> Tensor:
        """The gradient at another flat point of the source's dtype, counted as an evaluation."""
        ...

    def switch(self, curvature: Curvature, warning: str) -> None:
        """Use another curvature at later points, and say so once."""
        ...


@dataclass(frozen=True)
class Curvature:
    """Products with the Hessian ∇²f, or with a matrix that stands for it, at one point.

    Class attributes:
        keeps_graph: the gradient must be taken with a graph.
        positive: the matrix is positive semi-definite by construction.
    """

    keeps_graph: ClassVar[bool] = False
    positive: ClassVar[bool] = False

    def product(self, at: Situation) -> Product:
        """v ↦ Bv for flat detached vectors of the source's dtype."""
        raise NotImplementedError
