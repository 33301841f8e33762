"""BFGS for many problems at once: each has its own matrix, step length and record of progress."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.solvers.batched.function import RowFunction
from gradwright.solvers.batched.search import Slice, search
from gradwright.solvers.run.unboundedness import FAR
from gradwright.solvers.searches.first_step import REACH


class Problems:
    """The unfinished problems. Every tensor holds one row for each of them; ``keep`` thins all of them out.

    Args:
        function: values and gradients.
        x: (B, n), where the problems start.

    Attributes:
        ids: which problem a row belongs to.
        x, f, g, size: points, values, gradients and ‖g‖∞.
        H, Hg: approximate inverse Hessians (B, n, n), and their products with g.
        nit, nfev: iterations and evaluations of each.
        idle: iterations in a row without progress in value or gradient.
        fresh: whether H says nothing about curvature yet.
        failed, drowned: whether the last search found no better point, and whether it promised no more than
            noise.
        largest: the largest ‖g‖∞ seen.
        scale, far: of the value at the start, and the ‖x‖ that counts as far from it; see :class:`UnboundednessTest`.
    """

    def __init__(self, function: RowFunction, x: Tensor) -> None:
        count, n = x.shape
        self.function = function
        self.eps = torch.finfo(x.dtype).eps
        self.ids = torch.arange(count, device=x.device)
        self.x = x.clone()
        self.f, self.g = function(self.x)
        self.size = self.g.abs().amax(1)
        self.H = torch.eye(n, dtype=x.dtype, device=x.device).repeat(count, 1, 1)
        self.Hg = self.g.clone()
        self.nit = torch.zeros(count, dtype=torch.long, device=x.device)
        self.nfev, self.idle = torch.ones_like(self.nit), torch.zeros_like(self.nit)
        self.fresh = torch.ones(count, dtype=torch.bool, device=x.device)
        self.failed, self.drowned = torch.zeros_like(self.fresh), torch.zeros_like(self.fresh)
        self.least, self.flattest, self.largest = self.f.clone(), self.size.clone(), self.size.clone()
        length = torch.linalg.vector_norm(self.x, dim=1).clamp(min=1.0)
        self.scale = torch.maximum(self.f.abs(), torch.linalg.vector_norm(self.g, dim=1) * length)
        self.far = FAR * length

    def keep(self, rows: Tensor) -> None:
        """Forget the other problems: rows from the end fill the holes, so that little is moved."""
        count = int(rows.sum())
        holes, movers = (~rows[:count]).nonzero()[:, 0], rows[count:].nonzero()[:, 0] + count
        order = torch.arange(count, device=rows.device)
        order[holes] = movers
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                value[holes] = value[movers]
                setattr(self, name, value[:count])
        self.function.keep(order)

    def advance(self) -> None:
        """One step of every problem, if there are any."""
        if not len(self.ids):
            return
        d, slope, first = self._direction()
        noise = 10 * self.eps * self.f.abs()
        found = search(self.function, Slice(self.x, self.f, d, slope, noise), self.g, first)
        again = ~found.success & ~self.fresh
        if bool(again.any()):  # an empty memory and steepest descent before giving up
            self.fresh |= again
            rows = again.nonzero()[:, 0]
            g = self.g[rows]
            slope[rows] = -(g * g).sum(1)
            part = Slice(self.x[rows], self.f[rows], -g, slope[rows], noise[rows])
            of_part = lambda x, which: self.function(x, rows if which is None else rows[which])  # noqa: E731
            other = search(of_part, part, g, _cautious(part.x, g))
            other.trials += found.trials[rows]
            found.put(rows, other)
        self.failed = ~found.success
        self.drowned = -slope * found.alpha <= noise
        self.nit += found.success.long()
        self.nfev += found.trials
        self._learn(found.x, found.g)
        self._move(found.x, found.f, found.g, found.size)

    def _direction(self) -> tuple[Tensor, Tensor, Tensor]:
        """d, gᵀd and the first α: −Hg and 1; −g and a short one where H is not built or −Hg is not downhill."""
        d = -self.Hg
        slope = (d * self.g).sum(1)
        lengths = torch.linalg.vector_norm(d, dim=1) * torch.linalg.vector_norm(self.g, dim=1)
        self.fresh |= ~(slope < -self.eps * lengths)
        first = torch.ones_like(slope)
        if bool(self.fresh.any()):
            d = torch.where(self.fresh[:, None], -self.g, d)
            slope = torch.where(self.fresh, -(self.g * self.g).sum(1), slope)
            first = torch.where(self.fresh, _cautious(self.x, self.g), first)
        return d, slope, first

    def _learn(self, x: Tensor, g: Tensor) -> None:
        """H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ, ρ = 1 / sᵀy, where sᵀy > 0; it starts as I sᵀy / yᵀy.

        With a = ½ρ(1 + ρ yᵀHy) s − ρHy it is H + saᵀ + asᵀ. Hy is the difference of Hg at the two ends, so that a step
        costs one product with H.
        """
        s, y = x - self.x, g - self.g
        sy, yy = (s * y).sum(1), (y * y).sum(1)
        good = sy > 10 * self.eps * torch.linalg.vector_norm(s, dim=1) * yy.sqrt()
        first = good & self.fresh
        if bool(first.any()):
            gamma = (sy / yy)[first][:, None]
            self.H[first] = torch.diag_embed(gamma.expand(-1, x.shape[1]))
            self.Hg[first] = gamma * self.g[first]
        Hg = torch.bmm(self.H, g[:, :, None])[:, :, 0]
        Hy = Hg - self.Hg
        rho = torch.where(good, 1 / torch.where(good, sy, 1.0), 0.0)
        half = 0.5 * rho * (1 + rho * (y * Hy).sum(1))
        a = (half[:, None] * s).addcmul_(rho[:, None], Hy, value=-1)
        self.H.addcmul_(s[:, :, None], a[:, None, :]).addcmul_(a[:, :, None], s[:, None, :])
        ag, sg = (a * g).sum(1, keepdim=True), (s * g).sum(1, keepdim=True)
        self.Hg = Hg.addcmul_(ag, s).addcmul_(sg, a)
        self.fresh &= ~good

    def _move(self, x: Tensor, f: Tensor, g: Tensor, size: Tensor) -> None:
        progress = (f < self.least) | (size < 0.9 * self.flattest)
        self.idle = torch.where(progress, 0, self.idle + 1)
        self.least, self.flattest = torch.minimum(self.least, f), torch.minimum(self.flattest, size)
        self.largest = torch.maximum(self.largest, size)
        self.x, self.f, self.g, self.size = x, f, g, size


def _cautious(x: Tensor, g: Tensor) -> Tensor:
    """The first step along −g, as :func:`first_length` has it."""
    return REACH * torch.linalg.vector_norm(x, dim=1).clamp(min=1.0) / torch.linalg.vector_norm(g, dim=1)
