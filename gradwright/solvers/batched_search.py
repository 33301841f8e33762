"""A line search for many problems at once: expansion and bisection, each problem with its own bracket."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 40
"""Trials of one problem at most."""


@dataclass(frozen=True)
class Slice:
    """φ_b(α) = f_b(x_b + αd_b) for every row.

    Args:
        evaluate: (x, which rows) ↦ values and gradients.
        x, f, g, d: points, values, gradients and directions, one row each.
        eps: of the precision of f.
    """

    evaluate: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    x: Tensor
    f: Tensor
    g: Tensor
    d: Tensor
    eps: float


@dataclass
class Found:
    """Where each row ended; rows without success stay where they were."""

    x: Tensor
    f: Tensor
    g: Tensor
    alpha: Tensor
    success: Tensor

    def update(self, rows: Tensor, other: Found) -> None:
        """Replace some rows by another search's."""
        for name in ("x", "f", "g", "alpha", "success"):
            getattr(self, name)[rows] = getattr(other, name)


def search(line: Slice, first: Tensor, delta: float = 1e-4, sigma: float = 0.9) -> Found:
    """Steps that satisfy Wolfe's conditions, or the approximate ones where values drown in rounding.

    The bracket [low, high] starts as [0, ∞): a trial that is too high, or not finite, becomes ``high``, one that is
    still too steep becomes ``low``, and the next trial is 2·low or the middle. A row that has found its step is
    evaluated no more. Where a search ends without one, the lowest trial that improves on α = 0 is taken.

    Args:
        line: φ for every row.
        first: (B,), the α to try first.
        delta, sigma: of Wolfe's conditions.

    Reference: Lewis and Overton, Math. Program. 141 (2013), 2.2; Hager and Zhang, SIAM J. Optim. 16 (2005) for the
    approximate conditions.
    """
    slope = (line.g * line.d).sum(1)
    noise = 10 * line.eps * line.f.abs()
    found = Found(
        line.x.clone(), line.f.clone(), line.g.clone(), torch.zeros_like(first), torch.zeros_like(first).bool()
    )
    low, high = torch.zeros_like(first), torch.full_like(first, math.inf)
    alpha = first.clone()
    active = (slope < 0).nonzero()[:, 0]
    for _ in range(MOST):
        if not len(active):
            break
        step = alpha[active]
        x = line.x[active] + step[:, None] * line.d[active]
        moves = (x != line.x[active]).any(1)
        if not bool(moves.all()):
            active, x, step = active[moves], x[moves], step[moves]
            if not len(active):
                break
        f, g = line.evaluate(x, active)
        usable = f.isfinite() & g.isfinite().all(1)
        along = (g * line.d[active]).sum(1)
        start, down, slack = line.f[active], slope[active], noise[active]
        near = f <= start + slack
        armijo = f <= start + delta * step * down
        approximate = near & (along <= (2 * 0.1 - 1) * down)
        high_enough = along >= sigma * down
        accepted = usable & high_enough & (armijo | approximate)
        better = usable & ((f < start - slack) | (near & (along.abs() < 0.9 * down.abs())))
        take = accepted | (better & (f < found.f[active]))
        rows = active[take]
        found.x[rows], found.f[rows], found.g[rows], found.alpha[rows] = x[take], f[take], g[take], step[take]
        found.success[rows] = True
        falling = usable & (armijo | near) & (along < 0)
        low[active] = torch.where(falling, step, low[active])
        high[active] = torch.where(falling, high[active], step)
        middle = torch.where(
            usable, 0.5 * (low[active] + high[active]), low[active] + 0.2 * (high[active] - low[active])
        )
        alpha[active] = torch.where(
            high[active].isinf(),
            2.5 * low[active],
            _interpolated(start, down, f, step, middle, usable & ~falling & (low[active] == 0)),
        )
        active = active[~accepted & alpha[active].isfinite()]
    return found


def _interpolated(start: Tensor, slope: Tensor, f: Tensor, step: Tensor, middle: Tensor, where: Tensor) -> Tensor:
    """The minimum of the parabola through φ(0), φ'(0), φ(α) after a first trial that was too long, else the middle."""
    excess = f - start - step * slope
    share = (-0.5 * step * slope / excess.clamp(min=torch.finfo(f.dtype).tiny)).clamp(0.1, 0.5)
    return torch.where(where & (excess > 0), share * step, middle)
