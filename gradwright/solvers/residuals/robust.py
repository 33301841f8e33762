"""Robust losses for residuals: how much a large one counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

LEAST_CURVATURE = 0.1
"""The least curvature of an outlier in the Gauss-Newton model, as a share of its weight ρ'."""


class Shape(NamedTuple):
    """ρ(z), ρ'(z) and ρ''(z) for z = (r / f_scale)² ≥ 0."""

    value: Tensor
    weight: Tensor
    bend: Tensor


Rho = Callable[[Tensor], Shape]


def linear(z: Tensor) -> Shape:
    """ρ = z: plain least squares."""
    return Shape(z, torch.ones_like(z), torch.zeros_like(z))


def soft_l1(z: Tensor) -> Shape:
    """ρ = 2 (√(1 + z) − 1): a smooth absolute value."""
    root = (1 + z).sqrt()
    return Shape(2 * z / (root + 1), 1 / root, -0.5 / root**3)


def huber(z: Tensor) -> Shape:
    """ρ = z up to 1, then 2√z − 1."""
    root = z.clamp(min=1).sqrt()
    inside = z <= 1
    bend = torch.where(inside, torch.zeros_like(z), -0.5 / root**3)
    return Shape(torch.where(inside, z, 2 * root - 1), 1 / root, bend)


def cauchy(z: Tensor) -> Shape:
    """ρ = log(1 + z): outliers count ever less."""
    return Shape(torch.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2)


def arctan(z: Tensor) -> Shape:
    """ρ = arctan z: bounded."""
    return Shape(torch.atan(z), 1 / (1 + z * z), -2 * z / (1 + z * z) ** 2)


LOSSES: dict[str, Rho] = {"linear": linear, "soft_l1": soft_l1, "huber": huber, "cauchy": cauchy, "arctan": arctan}
"""Robust losses by SciPy's names."""


def rho_of(loss: Any) -> Rho:
    """A loss by name, or a function z ↦ (ρ, ρ', ρ'') of the user.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a function.
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(
                f"loss={loss!r} is unknown; known are {', '.join(LOSSES)}, or give z -> (rho, rho', rho'')"
            )
        return LOSSES[loss]
    if not callable(loss):
        raise TypeError(f"loss is a {type(loss).__name__}; give a name, or a function z -> (rho, rho', rho'')")
    return lambda z: Shape(*loss(z))


def cost(r: Tensor, rho: Rho, f_scale: float) -> Tensor:
    """½ f_scale² Σ ρ((r / f_scale)²)."""
    if rho is linear:
        return 0.5 * (r * r).sum()
    return 0.5 * f_scale**2 * rho((r / f_scale) ** 2).value.sum()


def weights(r: Tensor, rho: Rho, f_scale: float) -> tuple[Tensor, Tensor]:
    """√w and ρ' / √w, w = max(ρ' + 2zρ'', 0.1 ρ'): factors for the rows of J and for r.

    With them JᵀJ is the Hessian of the cost without the curvature of r, kept positive, and Jᵀr is its exact gradient.
    """
    z = (r / f_scale) ** 2
    _, weight, bend = rho(z)
    root = torch.maximum(weight + 2 * z * bend, LEAST_CURVATURE * weight).sqrt()
    return root, torch.where(root > 0, weight / root, torch.zeros_like(root))
