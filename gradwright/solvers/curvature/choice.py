"""Which curvature a name stands for, and ``auto``: exact where possible, differences where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.solvers.curvature.difference import FiniteDifference
from gradwright.solvers.curvature.fisher import EmpiricalFisher, Fisher
from gradwright.solvers.curvature.gauss_newton import GaussNewton
from gradwright.solvers.curvature.given import GivenProduct
from gradwright.solvers.curvature.hessian import DoubleBackward, ForwardOverReverse
from gradwright.solvers.linear.operator import Product
from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.problem.curvature import Curvature, Situation


@dataclass(frozen=True)
class Auto(Curvature):
    """:class:`DoubleBackward`, and :class:`FiniteDifference` where second derivatives do not exist.

    They do not exist through fused attention, through functions marked ``once_differentiable``, and where the user
    gives the gradient. A gradient whose graph is missing altogether belongs to a linear function, or to an operation
    that hides its derivative: one product by differences tells which.
    """

    keeps_graph: ClassVar[bool] = True

    def product(self, at: Situation) -> Product:
        differences = FiniteDifference()
        if at.evaluation.given is not None:
            return differences.product(at)
        try:
            slope = at.evaluation.slope()
        except (RuntimeError, NotImplementedError) as error:
            return self._fall_back(at, error)
        if not any(part.requires_grad for part in slope):
            coarse = differences.product(at)
            probe = torch.ones_like(at.flat)
            small = (
                1e3 * torch.finfo(at.flat.dtype).eps ** (2 / 3) * norm(torch.cat([part.reshape(-1) for part in slope]))
            )
            if norm(coarse(probe)) > small:
                return self._fall_back(at, RuntimeError("the gradient carries no graph although it is not constant"))
        exact = DoubleBackward().product(at)
        chosen: list[Product] = []

        def times(v: Tensor) -> Tensor:
            if not chosen:
                try:
                    answer = exact(v)
                except (RuntimeError, NotImplementedError) as error:
                    chosen.append(self._fall_back(at, error))
                else:
                    chosen.append(exact)
                    return answer
            return chosen[0](v)

        return times

    def _fall_back(self, at: Situation, error: Exception) -> Product:
        if isinstance(error, torch.OutOfMemoryError):
            raise error
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        at.switch(
            FiniteDifference(),
            f'hvp="auto": the second derivative does not exist here ({reason}). Products are differences of gradients '
            f"from now on, to about half the digits; attention has second derivatives under "
            f"sdpa_kernel(SDPBackend.MATH), and hvp=FiniteDifference() asks for differences without this warning.",
        )
        return FiniteDifference().product(at)


CURVATURES: dict[str, Callable[[], Curvature]] = {
    "auto": Auto,
    "double-backward": DoubleBackward,
    "forward-over-reverse": ForwardOverReverse,
    "finite-difference": FiniteDifference,
    "gauss-newton": GaussNewton,
    "fisher": Fisher,
    "empirical-fisher": EmpiricalFisher,
}
"""Curvatures by name; the classes take their own settings."""


def curvature_of(hvp: Any) -> Curvature:
    """The curvature that ``minimize``'s ``hvp`` asks for: a name, an instance, or the user's function (x, v) ↦ Hv.

    Raises:
        ValueError: an unknown name.
        TypeError: something else.
    """
    if isinstance(hvp, Curvature):
        return hvp
    if isinstance(hvp, str):
        if hvp not in CURVATURES:
            raise ValueError(f"hvp={hvp!r} is unknown; known are {', '.join(CURVATURES)}, or give a function (x, v)")
        return CURVATURES[hvp]()
    if callable(hvp):
        return GivenProduct(hvp)
    raise TypeError(f"hvp is a {type(hvp).__name__}; give a name, a Curvature, or a function of (x, v)")
