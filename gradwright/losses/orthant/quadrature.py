"""The probability that one noisy score exceeds all others, by one-dimensional quadrature.

With independent standard normal noise on every score, the differences of one score to the others are normal with
covariance I + 11ᵀ, and the probability that all are positive is an orthant integral in C − 1 dimensions. Given the
noise t of the one score, though, the others are independent:

    P(d) = E_t ∏ᵢ Φ(dᵢ + t),    ∂P/∂dⱼ = E_t φ(dⱼ + t) ∏_{i≠j} Φ(dᵢ + t),    t ~ N(0, 1),

a smooth function of one variable, for which a few dozen Gauss-Hermite nodes are exact to rounding: no sampling, no
sorting, no truncation.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.orthant.binning import binned, table

_HELD = 1 << 20
"""Entries held at a time on top of those of d; one node is always taken whole."""


@torch.compiler.assume_constant_result
def gauss_hermite(nodes: int, dtype: torch.dtype) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes t and weights w for the expectation over a standard normal variable, as far as ``dtype`` can tell."""
    return _gauss_hermite(nodes, dtype)


@functools.cache
def _gauss_hermite(nodes: int, dtype: torch.dtype) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes far out, whose weights together do not reach the rounding of ``dtype``, are left out, most of 128 in
    float32: a probability is at most 1, so this is all they could change.
    """
    # nodes are eigenvalues of the matrix by which t multiplies the orthonormal polynomials; a weight is 1 / Σ pₖ(t)².
    # numpy's own rule overflows above some 350 nodes
    roots = np.sqrt(np.arange(1.0, nodes))
    t = np.linalg.eigvalsh(np.diag(roots, -1))  # the lower triangle is enough
    t = (t - t[::-1]) / 2
    before, here = np.zeros_like(t), np.ones_like(t)
    squares = here.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # far out the sum is infinite and the weight 0
        for k, root in enumerate(roots):
            before, here = here, (t * here - (roots[k - 1] if k else 0.0) * before) / root
            squares += here * here
    w = 1 / np.where(np.isnan(squares), np.inf, squares)
    order = np.argsort(w)
    keep = np.ones(nodes, bool)
    keep[order[np.cumsum(w[order]) < 0.02 * torch.finfo(dtype).eps]] = False
    return tuple(t[keep].tolist()), tuple(w[keep].tolist())


def orthant(d: Tensor, nodes: int = 128) -> Tensor:
    """P(d) = E_t ∏ᵢ Φ(dᵢ + t), over the last dimension of d.

    Memory is a few times that of d: nodes are taken a few at a time and the slope is gathered on the way. On a
    processor in float32 the sum over the classes is taken from a table (:mod:`gradwright.losses.orthant.binning`),
    whose cost does not depend on the number of nodes. Both can be differentiated twice. While something is
    differentiated in forward mode it is plain torch, which holds all nodes at once.

    Args:
        d: ``(..., C)``, float32 or float64. A place with +inf is no condition; finite values above 40 do as well.
        nodes: of the Gauss-Hermite rule. 128 is exact to 1e-6 for a thousand classes, however they lie.
    """
    t, w = gauss_hermite(nodes, d.dtype)
    summed = table(t) if d.is_cpu and d.dtype == torch.float32 else None
    return _weighted(d, d.new_tensor(t), d.new_tensor(w).log(), summed)


def log_orthant(d: Tensor) -> Tensor:
    """ln P(d), to rounding however small P is.

    The integrand is log-concave in t. Its nodes are set around its maximum, which Newton's method finds from t = 0
    without overshooting, as the derivative −t + Σ r(dᵢ + t), r = φ / Φ, falls and is convex. They reach further to the
    right, where for many classes the integrand falls off only exponentially. Computed in float64.
    """
    wide = d.double()
    with torch.no_grad():  # and without tangents: where the nodes are set changes nothing
        fixed = wide.detach()
        at = torch.zeros_like(fixed[..., 0])
        for _ in range(20):
            x = fixed + at.unsqueeze(-1)
            r = log_ndtr(x)[1]
            bend = 1 + (r * (r + x)).sum(-1)
            at = at + (r.sum(-1) - at) / bend
        step = 0.175
        width = bend.rsqrt().unsqueeze(-1)
        t = at.unsqueeze(-1) + width * torch.arange(-40, 121, dtype=fixed.dtype, device=fixed.device) * step
        peak = log_ndtr(fixed + at.unsqueeze(-1))[0].sum(-1) - at**2 / 2
        log_w = -(t**2) / 2 - peak.unsqueeze(-1) + (width * (step / math.sqrt(2 * math.pi))).log()
    return (peak + _weighted(wide, t, log_w, None).log()).to(d.dtype)


def log_ndtr(x: Tensor) -> tuple[Tensor, Tensor]:
    """ln Φ(x) and its derivative r(x) = φ(x) / Φ(x), neither with cancellation.

    On the right r stops at x = 12, where it is 2e-32. torch's own ``log_ndtr`` has no rule for ``vmap``.
    """
    scaled = torch.special.erfcx(x.clamp(max=12.0) * -math.sqrt(0.5))  # 2 Φ(x) exp(x² / 2)
    left = (scaled / 2).log() - x**2 / 2
    right = torch.log1p(-0.5 * torch.erfc(x.clamp(min=-1.0) * math.sqrt(0.5)))
    return torch.where(x < -1, left, right), math.sqrt(2 / math.pi) / scaled


def _weighted(d: Tensor, t: Tensor, log_w: Tensor, summed: Tensor | None) -> Tensor:
    if checks.forward():  # nested as deep as one likes; a function of its own would hide the second derivative
        return (log_w + log_ndtr(d.unsqueeze(-2) + t.unsqueeze(-1))[0].sum(-1)).exp().sum(-1)
    return _Sum.apply(d, t, log_w, summed)[0]


class _Sum(torch.autograd.Function):
    """Σₖ exp(log wₖ + Σᵢ ln Φ(dᵢ + tₖ)), and its slope in d from the same sweep."""

    generate_vmap_rule = True

    @staticmethod
    def forward(d: Tensor, t: Tensor, log_w: Tensor, summed: Tensor | None) -> tuple[Tensor, Tensor]:
        return _sweep(d, t, log_w) if summed is None else binned(d, log_w, summed)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        d, t, log_w, _ = inputs
        ctx.save_for_backward(d, t, log_w, output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        d, t, log_w, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody may want a second derivative: say where the slope comes from
            slope = _sweep(d, t, log_w)[1]
        return upstream.unsqueeze(-1) * slope, None, None, None


def _sweep(d: Tensor, t: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """The sum and its slope, a few nodes at a time."""
    nodes = t.shape[-1]
    at_once = max(1, min(nodes, _HELD // max(d.numel(), 1)))
    total, slope = torch.zeros_like(d[..., 0]), torch.zeros_like(d)
    for start in range(0, nodes, at_once):
        now = slice(start, start + at_once)
        value, r = log_ndtr(d.unsqueeze(-2) + t[..., now].unsqueeze(-1))
        mass = (log_w[..., now] + value.sum(-1)).exp()
        total = total + mass.sum(-1)
        slope = slope + (mass.unsqueeze(-1) * r).sum(-2)
    return total, slope
