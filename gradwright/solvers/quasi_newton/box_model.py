"""The quadratic model of L-BFGS-B inside a box: its generalised Cauchy point, and its minimum over the free
variables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.problem.bounds import Bounds


@dataclass(frozen=True)
class BoxModel:
    """m(p) = gᵀp + ½ pᵀBp over l ≤ x + p ≤ u, with B = θI − Wᵀ M W.

    Args:
        x, gradient, box: where, and inside what.
        theta: θ.
        W: (2k, n).
        K: M⁻¹, (2k, 2k).
        newton: −B⁻¹g where it is known: the step that no bound interferes with.
    """

    x: Tensor
    gradient: Tensor
    box: Bounds
    theta: float
    W: Tensor
    K: Tensor
    newton: Tensor | None = None

    def _middle(self, columns: Tensor) -> Tensor:
        """M times columns."""
        return torch.linalg.solve(self.K, columns) if len(self.K) else columns

    def cauchy(self) -> tuple[Tensor, Tensor]:
        """The first local minimiser of m along P(x − tg), t ≥ 0, and which variables are free there.

        The path is piecewise linear with a breakpoint tᵢ where variable i meets its bound. On the segment after j of
        them, sorted, the direction d is −g on those left, p(t) is Wd, c is W times what was moved so far, and
        m' = −‖d‖² + θt ‖d‖² − pᵀMc, m'' = θ‖d‖² − pᵀMp. All of these are running sums, so all segments are computed
        at once and the first with a minimum inside is taken.
        """
        g, x, box = self.gradient, self.x, self.box
        bound = torch.where(g < 0, box.upper, box.lower)
        breaks = torch.where(g != 0, (x - bound) / torch.where(g != 0, g, torch.ones_like(g)), torch.inf)
        breaks = torch.where(breaks.isnan(), torch.inf, breaks).clamp(min=0.0)
        moving = torch.where(breaks > 0, -g, 0.0)
        finite = ((breaks > 0) & breaks.isfinite()).nonzero().flatten()
        order = finite[breaks[finite].argsort()]
        times = torch.cat([breaks.new_zeros(1), breaks[order]])

        square = moving.dot(moving) - torch.cat([g.new_zeros(1), (g[order] ** 2).cumsum(0)])
        steps = self.W[:, order] * moving[order]  # (2k, breakpoints)
        along = (self.W @ moving)[:, None] - torch.cat([steps.new_zeros(len(self.K), 1), steps.cumsum(1)], dim=1)
        lengths = times.diff()
        moved = torch.cat([along.new_zeros(len(self.K), 1), (along[:, :-1] * lengths).cumsum(1)], dim=1)
        square = square.clamp(min=0.0)
        first = -square + self.theta * times * square - (along * self._middle(moved)).sum(0)
        second = self.theta * square - (along * self._middle(along)).sum(0)
        ends = torch.cat([lengths, times.new_full((1,), torch.inf)])
        reach = torch.where(second > 0, -first / torch.where(second > 0, second, 1.0), torch.inf)
        stops = ((first >= 0) | (reach < ends)).nonzero().flatten()
        if stops.numel():
            at = int(stops[0])
            t = times[at] + reach[at].clamp(min=0.0) if first[at] < 0 else times[at]
        else:
            t = times[-1]
        point = box.project(x + t * moving)
        free = (moving != 0) & (breaks > t) | (g == 0) & (box.lower < x) & (x < box.upper)
        point = torch.where(free | (breaks == 0), point, torch.where(breaks <= t, bound, point))
        return torch.where(breaks == 0, x, point), free

    def subspace(self, cauchy: Tensor, free: Tensor) -> Tensor:
        """The minimiser of m over the free variables from the Cauchy point, back inside the box.

        It is projected into the box (Morales and Nocedal 2011); where the projection is not downhill, the way to it is
        cut at the first bound instead.
        """
        index = free.nonzero().flatten()
        if not index.numel():
            return cauchy
        W = self.W[:, index]
        moved = cauchy - self.x
        residual = (
            self.gradient[index] + self.theta * moved[index] - W.T @ self._middle((self.W @ moved)[:, None])[:, 0]
        )
        way = torch.zeros_like(cauchy)
        if self.newton is not None and len(index) == len(free):
            way = self.x + self.newton - cauchy
        else:
            inner = torch.linalg.solve(self.K - W @ W.T / self.theta, W @ residual) if len(self.K) else W @ residual
            way[index] = -(residual + W.T @ inner / self.theta) / self.theta
        target = self.box.project(cauchy + way)
        if torch.dot(target - self.x, self.gradient) < 0:
            return target
        room = torch.where(way > 0, self.box.upper - cauchy, self.box.lower - cauchy)
        share = torch.where(way != 0, room / torch.where(way != 0, way, 1.0), torch.inf)
        return self.box.project(cauchy + share.min().clamp(max=1.0) * way)
