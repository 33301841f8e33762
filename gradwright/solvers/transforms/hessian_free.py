"""Martens' Hessian-free step as a transform."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.solvers.linear.martens_cg import Iterate, martens_cg
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import dot
from gradwright.solvers.transforms.base import ExtraArgsTransform, product_of

SHRINK, TRIALS = 0.8, 60


class HessianFreeState(NamedTuple):
    """λ; the last solution of CG, None after a step that was rejected; ρ of the last step."""

    damping: float
    last: Tensor | None
    ratio: float


def scale_by_hessian_free(
    damping: float = 1.0, tolerance: float = 5e-4, max_cg: int = 250, decay: float = 0.95
) -> ExtraArgsTransform:
    """A whole step of Hessian-free optimisation; zero where nothing lowers value_fn.

    CG minimises q(δ) = gᵀδ + ½ δᵀ(G + λI)δ from ``decay`` times its last solution and stops by relative progress. Of
    the iterates it kept, the latest is compared with earlier ones for as long as f gets lower; then α = 0.8ʲ until
    f(θ + αδ) ≤ f(θ) + 10⁻² α gᵀδ. With ρ = (f(θ + αδ) − f(θ)) / q(αδ), λ grows by 3/2 if ρ < ¼ and shrinks by 2/3 if
    ρ > ¾. A rejected step raises λ, to twice the negative curvature that was met at least, and clears the start of CG.

    Args:
        damping: the first λ.
        tolerance: ε of the stopping rule.
        max_cg: products in one step at most.
        decay: of the solution that CG starts from.

    Extra arguments: value_fn; gnvp, v ↦ Gv with the Gauss-Newton matrix, or hvp; grad_fn to make products from; value.
    Without any of these the Hessian of value_fn is taken. State: :class:`HessianFreeState`.

    Reference: Martens, ICML 2010. The same step in a training loop: :class:`gradwright.solvers.HessianFree`.
    """
    if not 0 < damping < math.inf:
        raise ValueError(f"damping={damping} must be positive; 1.0 is usual, it adapts by itself")
    if not 0 <= decay < 1:
        raise ValueError(f"decay={decay} must lie in [0, 1); 0.95 is usual, 0 starts CG at zero")

    def step(g: Tensor, state: HessianFreeState, params: Tensor, extra: dict[str, Any]):
        flat, eps = g.detach().reshape(-1), torch.finfo(g.dtype).eps

        @torch.no_grad()
        def value(delta: Tensor) -> float:
            found = float(extra["value_fn"](params.detach() + delta.view(params.shape)))
            return found if math.isfinite(found) else math.inf

        given = extra.get("gnvp")
        product = product_of(params, extra if given is None else {"hvp": given})
        A = LinearOperator((flat.numel(), flat.numel()), lambda v: product(v) + state.damping * v)
        start = None if state.last is None else decay * state.last
        run = martens_cg(A, -flat, start, None, tolerance, max_cg, eps)
        f = value(torch.zeros_like(flat)) if extra.get("value") is None else float(extra["value"])
        noise = 10 * eps * abs(f)
        if run.kept:
            chosen, lowest = _lowest(run.kept, value)
            slope, alpha = dot(flat, chosen.x), 1.0
            for _ in range(TRIALS):
                if lowest <= f + min(1e-2 * alpha * slope, 0.0) + noise:
                    break
                alpha *= SHRINK
                lowest = value(alpha * chosen.x)
            if lowest < f:
                expected = alpha * slope + 0.5 * alpha**2 * chosen.curvature
                ratio = (lowest - f - noise) / (expected - noise) if expected < 0 else -math.inf
                factor = 1.5 if ratio < 0.25 else 2 / 3 if ratio > 0.75 else 1.0
                return (alpha * chosen.x).view(params.shape), HessianFreeState(
                    state.damping * factor, run.kept[-1].x, ratio
                )
        raised = max(1.5 * state.damping, 2 * abs(run.negative or 0.0))
        return torch.zeros_like(g), HessianFreeState(raised, None, -math.inf)

    return ExtraArgsTransform(
        "scale_by_hessian_free",
        lambda params: HessianFreeState(damping, None, math.nan),
        step,
        (("value_fn",),),
    )


def _lowest(kept: list[Iterate], value: Callable[[Tensor], float]) -> tuple[Iterate, float]:
    """Back from the last iterate of CG for as long as f gets lower; the iterate and f there."""
    best, lowest = kept[-1], value(kept[-1].x)
    for iterate in reversed(kept[:-1]):
        trial = value(iterate.x)
        if trial > lowest:
            break
        best, lowest = iterate, trial
    return best, lowest
