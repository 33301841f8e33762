"""LBFGSMemory: the last pairs (s, y), and products with the matrices B and H = B⁻¹ that they define."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import dot, norm, widen

CAUTION = 10.0
"""A pair is kept if sᵀy > CAUTION · ε · ‖s‖ ‖y‖."""


class LBFGSMemory:
    """Limited-memory BFGS in compact form (Byrd, Nocedal and Schnabel 1994).

    H = γI + [Sᵀ γYᵀ] [[R⁻ᵀ(D + γYYᵀ)R⁻¹, −R⁻ᵀ], [−R⁻¹, 0]] [S; γY],   R = triu(SYᵀ), D = diag(SYᵀ), γ = sᵀy / yᵀy of
    the newest pair; B = θI − Wᵀ M W with W = [Y; θS], M⁻¹ = [[−D, Lᵀ], [L, θSSᵀ]], θ = 1/γ. S and Y are rows of two
    buffers, so a product is two sweeps over them and algebra of size 2m in float64, on one device or many.

    Args:
        size: n.
        capacity: m, pairs kept.
        like: a tensor whose dtype and device the buffers take.
    """

    def __init__(self, size: int, capacity: int, like: Tensor) -> None:
        if capacity < 1:
            raise ValueError(f"memory={capacity} keeps no pair; give at least 1")
        self.capacity = capacity
        self.s = torch.zeros(capacity, size, dtype=like.dtype, device=like.device)
        self.y = torch.zeros_like(self.s)
        gram = torch.zeros(capacity, capacity, dtype=widen(like[:0]).dtype, device="cpu")
        self._sy, self._ss, self._yy = gram, gram.clone(), gram.clone()
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._order)

    @property
    def gamma(self) -> float:
        """γ = sᵀy / yᵀy of the newest pair; 1 while there is none."""
        if not self._order:
            return 1.0
        new = self._order[-1]
        return float(self._sy[new, new] / self._yy[new, new])

    def push(self, s: Tensor, y: Tensor, eps: float = 0.0) -> bool:
        """Keep the pair if its curvature is positive by more than rounding, whatever the units; tell whether it was."""
        limit = CAUTION * max(eps, torch.finfo(self.s.dtype).eps)
        length = norm(s)
        if not dot(s, y) > limit * length * norm(y):
            return False
        s, y = s / length, y / length  # the same matrix, better conditioned in between
        gamma = dot(s, y) / (dot(y, y) or math.inf)
        if not 0 < gamma < math.inf:  # squares out of range
            return False
        slot = len(self._order) if len(self._order) < self.capacity else self._order.pop(0)
        self._order.append(slot)
        self.s[slot], self.y[slot] = s, y
        along_s, along_y = self._rows(self.s, y), self._rows(self.y, s)
        self._sy[:, slot], self._sy[slot, :] = along_s, along_y
        self._ss[slot] = self._ss[:, slot] = self._rows(self.s, s)
        self._yy[slot] = self._yy[:, slot] = self._rows(self.y, y)
        return True

    def clear(self) -> None:
        """Forget all pairs."""
        self._order.clear()

    def apply_inverse(self, v: Tensor) -> Tensor:
        """Hv."""
        if not self._order:
            return v.clone()
        order, gamma = self._order, self.gamma
        upper, diagonal, yy = self._triangle()
        sv, yv = self._rows(self.s, v)[order], self._rows(self.y, v)[order]
        inner = torch.linalg.solve_triangular(upper, sv[:, None], upper=True)
        right = (torch.diag(diagonal) + gamma * yy) @ inner - gamma * yv[:, None]
        outer = torch.linalg.solve_triangular(upper.T, right, upper=False)
        return gamma * v + self._combine(self.s, outer[:, 0]) - gamma * self._combine(self.y, inner[:, 0])

    def apply(self, v: Tensor) -> Tensor:
        """Bv."""
        if not self._order:
            return v.clone()
        order, theta = self._order, 1 / self.gamma
        rows = torch.cat([self._rows(self.y, v)[order], theta * self._rows(self.s, v)[order]])
        middle = torch.linalg.solve(self.middle_inverse(), rows)
        k = len(order)
        return theta * v - self._combine(self.y, middle[:k]) - theta * self._combine(self.s, middle[k:])

    def middle_inverse(self) -> Tensor:
        """M⁻¹, (2k, 2k)."""
        order, theta = self._order, 1 / self.gamma
        sy = self._sy[order][:, order]
        lower = sy.tril(-1)
        top = torch.cat([-torch.diag(sy.diagonal()), lower.T], dim=1)
        return torch.cat([top, torch.cat([lower, theta * self._ss[order][:, order]], dim=1)])

    def columns(self) -> Tensor:
        """W = [Y; θS] in order of age, (2k, n)."""
        return torch.cat([self.y[self._order], self.s[self._order] / self.gamma])

    def _triangle(self) -> tuple[Tensor, Tensor, Tensor]:
        sy = self._sy[self._order][:, self._order]
        return sy.triu(), sy.diagonal(), self._yy[self._order][:, self._order]

    def _rows(self, buffer: Tensor, v: Tensor) -> Tensor:
        """The products of all rows with v, on the host in float64."""
        return widen(buffer @ v).cpu()

    def _combine(self, buffer: Tensor, weights: Tensor) -> Tensor:
        """The sum of rows, oldest first, with these weights."""
        full = torch.zeros(self.capacity, dtype=weights.dtype, device=weights.device)
        full[self._order] = weights
        return buffer.T @ full.to(buffer)
