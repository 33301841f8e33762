"""A line search for many problems at once: expansion and bisection, each problem with its own bracket."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

MOST = 40
"""Trials of one problem at most."""


@dataclass(frozen=True)
class Slice:
    """φ_b(α) = f_b(x_b + αd_b) for every row.

    Args:
        x, f, d: points, values and directions, one row each.
        slope: φ_b'(0) < 0.
        noise: differences of φ_b below this are rounding.
    """

    x: Tensor
    f: Tensor
    d: Tensor
    slope: Tensor
    noise: Tensor

    def pick(self, rows: Tensor) -> Slice:
        return Slice(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass
class Found:
    """Where each row ended, with its gradient, ‖g‖∞ and the trials it took; without success it stays where it was."""

    x: Tensor
    f: Tensor
    g: Tensor
    size: Tensor
    alpha: Tensor
    success: Tensor
    trials: Tensor

    def pick(self, rows: Tensor) -> Found:
        return Found(*(getattr(self, each.name)[rows] for each in fields(self)))

    def undo(self, rows: Tensor, line: Slice, gradient: Tensor) -> None:
        """Rows whose trial is not taken stay where they are."""
        if len(rows):
            g = gradient[rows]
            none, no = torch.zeros_like(line.f[rows]), torch.zeros_like(self.success[rows])
            self.put(rows, Found(line.x[rows], line.f[rows], g, g.abs().amax(1), none, no, self.trials[rows]))

    def put(self, rows: Tensor, other: Found) -> None:
        """Replace some rows."""
        for each in fields(self):
            getattr(self, each.name)[rows] = getattr(other, each.name)


def search(
    evaluate: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]],
    line: Slice,
    gradient: Tensor,
    first: Tensor,
    delta: float = 1e-4,
    sigma: float = 0.9,
) -> Found:
    """Steps that satisfy Wolfe's conditions, or the approximate ones where values drown in rounding.

    The bracket [low, high] starts as [0, ∞): a trial that is too high, or not finite, becomes ``high``, one that is
    still too steep becomes ``low``, and the next trial is 2.5 low or the middle. A row that has found its step is
    evaluated no more. Where a search ends without one, the lowest trial that improves on α = 0 is taken.

    Args:
        evaluate: (x, which rows; None for all) ↦ values and gradients.
        line: φ for every row.
        gradient: at α = 0.
        first: (B,), the α to try first.
        delta, sigma: of Wolfe's conditions.

    Reference: Lewis and Overton, Math. Program. 141 (2013), 2.2; Hager and Zhang, SIAM J. Optim. 16 (2005) for the
    approximate conditions.
    """
    rows: Tensor | None = None  # all of them: most problems are content with their first trial, and nothing is copied
    part, alpha, best = line, first, line.f
    low, high = torch.zeros_like(first), torch.full_like(first, math.inf)
    found: Found | None = None
    for _ in range(MOST):
        x = torch.addcmul(part.x, alpha[:, None], part.d)
        f, g = evaluate(x, rows)
        size = g.abs().amax(1)
        usable = f.isfinite() & size.isfinite()
        along = (g * part.d).sum(1)
        near = f <= part.f + part.noise
        armijo = f <= part.f + delta * alpha * part.slope
        approximate = near & (along <= (2 * 0.1 - 1) * part.slope)
        accepted = usable & (along >= sigma * part.slope) & (armijo | approximate)
        better = usable & ((f < part.f - part.noise) | (near & (along.abs() < 0.9 * part.slope.abs())))
        take = accepted | (better & (f < best))
        left = (~accepted).nonzero()[:, 0]
        left = left[(x[left] != part.x[left]).any(1)]  # a trial that changed no number ends the search
        seen = Found(x, f, g, size, alpha, take, torch.ones_like(take, dtype=torch.long))
        falling = (usable & (armijo | near) & (along < 0))[left]
        best = torch.where(take, f, best)[left]
        f, usable, alpha, low, high = f[left], usable[left], alpha[left], low[left], high[left]
        if found is None or rows is None:
            found = seen
            found.undo((~take).nonzero()[:, 0], line, gradient)
        else:
            seen.trials += found.trials[rows]
            found.trials[rows] = seen.trials
            if bool(take.any()):
                found.put(rows[take], seen.pick(take))
        if not len(left):
            break
        rows, part = left if rows is None else rows[left], part.pick(left)
        low, high = torch.where(falling, alpha, low), torch.where(falling, high, alpha)
        alpha = _next(part, f, alpha, low, high, usable, falling)
    return found  # type: ignore[return-value]


def _next(part: Slice, f: Tensor, alpha: Tensor, low: Tensor, high: Tensor, usable: Tensor, falling: Tensor) -> Tensor:
    """The α to try next: further out without an upper end; else the middle, nearer to low where φ was not finite.

    After a first trial that was too long it is the minimum of the parabola through φ(0), φ'(0) and φ(α).
    """
    middle = low + torch.where(usable, 0.5, 0.2) * (high - low)
    excess = f - part.f - alpha * part.slope
    share = (-0.5 * alpha * part.slope / excess.clamp(min=torch.finfo(f.dtype).tiny)).clamp(0.1, 0.5)
    middle = torch.where(usable & ~falling & (low == 0) & (excess > 0), share * alpha, middle)
    return torch.where(high.isinf(), 2.5 * low, middle)
