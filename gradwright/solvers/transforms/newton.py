"""Newton steps: by conjugate gradients, and inside a trust region."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.steihaug import steihaug
from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.transforms.base import ExtraArgsTransform, product_of

CURVATURE = ("hvp", "grad_fn", "value_fn")


def scale_by_newton_cg(max_iter: int = 50, forcing: float = 0.5) -> ExtraArgsTransform:
    """d ≈ −H⁻¹g by conjugate gradients, which stop where dᵀHd is not positive: always a direction of descent.

    They stop at ‖r‖ ≤ min(forcing, √(‖g‖ / ‖g₀‖)) ‖g‖, with g₀ the first gradient seen. At negative curvature in the
    first iteration the step is −g · ‖g‖² / |gᵀHg|.

    Args:
        max_iter: products at most.
        forcing: largest relative residual.

    Extra arguments: hvp, or grad_fn, or value_fn.
    """

    def step(g: Tensor, first: float, params: Tensor, extra: dict[str, Any]) -> tuple[Tensor, float]:
        H, flat = product_of(params, extra), g.detach().reshape(-1)
        size, eps = norm(flat), torch.finfo(g.dtype).eps
        first = first or size
        p, r, d = torch.zeros_like(flat), flat, -flat
        for index in range(max_iter if size > 0 else 0):
            Hd = H(d)
            kappa, gamma = dot(d, Hd), dot(r, r)
            positive = kappa > 10 * eps * norm(d) * norm(Hd)
            if not positive:
                p = p if index else d * (gamma / abs(kappa) if kappa else 1.0)
                break
            p, r = p + gamma / kappa * d, r + gamma / kappa * Hd
            if norm(r) <= min(forcing, math.sqrt(size / first)) * size:
                break
            d = -r + dot(r, r) / gamma * d
        return p.view(params.shape), first

    return ExtraArgsTransform("scale_by_newton_cg", lambda params: 0.0, step, (CURVATURE,))


def scale_by_steihaug(forcing: float = 0.1, first_radius: float | None = None) -> ExtraArgsTransform:
    """A trust-region step by :func:`gradwright.solvers.steihaug`; zero where the test of the step rejects it.

    ρ = (f − f⁺ + ε_f) / (pred + ε_f) > 1e-4 accepts, with ε_f = 10 ε max(|f|, |f⁺|); ρ < ¼ quarters the radius, ρ > ¾
    at the boundary doubles it. A value that is not finite rejects.

    Args:
        forcing: largest relative residual of CG.
        first_radius: to begin with (the length of the Cauchy step, clipped to [1e-3, 1e3] · max(1, ‖x‖)).

    Extra arguments: value_fn; hvp or grad_fn where they are better than its derivatives; value.
    State: (radius, norm of the first gradient, ρ).
    """

    def step(g: Tensor, state: tuple[float, float, float], params: Tensor, extra: dict[str, Any]):
        radius, first, _ = state
        flat = g.detach().reshape(-1)
        size, eps = norm(flat), torch.finfo(g.dtype).eps
        if size == 0:
            return torch.zeros_like(g), state
        first = first or size
        reach = max(1.0, norm(params.detach().reshape(-1)))
        begin = radius if radius > 0 else (lambda cauchy: min(max(cauchy, 1e-3 * reach), 1e3 * reach))
        operator = LinearOperator((flat.numel(), flat.numel()), product_of(params, extra))
        path = steihaug(operator, flat, begin, min(forcing, math.sqrt(size / first)), eps=eps)
        trial = path.within(path.radius)
        with torch.no_grad():
            f = float(extra["value_fn"](params) if extra.get("value") is None else extra["value"])
            fresh = float(extra["value_fn"](params + trial.p.view(params.shape)))
        noise = 10 * eps * max(abs(f), abs(fresh))
        ratio = (f - fresh + noise) / (trial.reduction + noise) if math.isfinite(fresh) else -1.0
        if ratio < 0.25:
            radius = 0.25 * min(path.radius, trial.length)
        else:
            radius = 2 * path.radius if ratio > 0.75 and trial.boundary else path.radius
        p = trial.p.view(params.shape) if ratio > 1e-4 else torch.zeros_like(g)
        return p, (radius, first, ratio)

    begin = (first_radius or 0.0, 0.0, 0.0)
    return ExtraArgsTransform("scale_by_steihaug", lambda params: begin, step, (("value_fn",),))
