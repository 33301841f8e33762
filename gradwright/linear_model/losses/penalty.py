"""Penalty: L2, L1 and group strengths of columns as one object: its value, its proximal step and its conjugate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy import ndarray


@dataclass(frozen=True)
class Penalty:
    """Σⱼ (½ λ₂ⱼ ‖θⱼ‖² + λ₁ⱼ ‖θⱼ‖₁) + Σ_g γ_g ‖θ_g‖₂ of coefficients θ (d, K).

    The L2 part is smooth, so that it belongs to the objective; ``kinks`` is the rest.

    Args:
        l1, l2: λ₁ and λ₂ of each column, (d,), at least 0; λ₁ is 0 in groups.
        groups: column numbers of each group; a column is in at most one.
        gamma: γ of each group.
    """

    l1: ndarray
    l2: ndarray
    groups: Sequence[ndarray] = ()
    gamma: Sequence[float] = ()
    cpp: ClassVar[str] = Path(__file__).with_name("penalty.h").read_text(encoding="utf-8")
    """``prox`` of a column and of a group in C++."""

    @classmethod
    def split(cls, strength: float, l1_ratio: float, factors: ndarray, groups: list[ndarray]) -> Penalty:
        """One strength and a ratio, spread over columns and groups.

        Args:
            strength: of the whole penalty, at least 0.
            l1_ratio: part of it that has kinks, in [0, 1].
            factors: of each column, shape (d,).
            groups: column numbers; their part with kinks is √|g| ‖W_g‖ times the mean factor of the group.

        Raises:
            ValueError: a ratio outside [0, 1], or groups that would have no effect.
        """
        if not (isinstance(l1_ratio, Real) and 0 <= l1_ratio <= 1):
            raise ValueError(f"l1_ratio must be between 0 and 1, not {l1_ratio!r}")
        if groups and l1_ratio == 0:
            raise ValueError("groups have no effect with l1_ratio=0; set l1_ratio above 0 or leave groups out")
        l1 = strength * l1_ratio * factors
        gamma = [strength * l1_ratio * float(np.sqrt(len(g)) * factors[g].mean()) for g in groups]
        for g in groups:
            l1[g] = 0.0
        return cls(l1, strength * (1.0 - l1_ratio) * factors, groups, gamma)

    @cached_property
    def group_of(self) -> ndarray:
        """The group of each column, −1 for none."""
        out = np.full(len(self.l1), -1)
        for number, group in enumerate(self.groups):
            out[group] = number
        return out

    @property
    def has_kinks(self) -> bool:
        """Whether there is more than an L2 part."""
        return bool(np.any(self.l1 > 0)) or any(strength > 0 for strength in self.gamma)

    @property
    def smooth_columns(self) -> ndarray:
        """Columns without a kink, (d,)."""
        return (self.l1 == 0) & (self.group_of < 0)

    def scaled(self, scale: ndarray) -> Penalty:
        """The same for θ = scale · W; columns of one group share their scale."""
        gamma = np.array([strength / scale[group[0]] for strength, group in zip(self.gamma, self.groups)])
        # below rounding in these coordinates a penalty cannot be told from none
        l1 = self.l1 / scale
        return Penalty(np.where(l1 < 1e-15, 0.0, l1), self.l2 / scale / scale, self.groups, gamma)

    def restricted(self, columns: ndarray, free: int = 0) -> Penalty:
        """The same for some columns in a new order, groups whole, with ``free`` unpenalised ones behind them."""
        whole = [number for number, group in enumerate(self.groups) if np.isin(group[0], columns)]
        place = np.full(len(self.l1), -1)
        place[columns] = np.arange(len(columns))
        l1, l2 = (np.append(strengths[columns], np.zeros(free)) for strengths in (self.l1, self.l2))
        return Penalty(l1, l2, [place[self.groups[number]] for number in whole], [self.gamma[g] for g in whole])

    def blocks(self) -> list[slice]:
        """Columns one by one and groups whole, where the columns of a group follow each other."""
        if len(self.l1) == 0:
            return []
        ends = np.flatnonzero(np.append((np.diff(self.group_of) != 0) | (self.group_of[1:] < 0), True)) + 1
        return [slice(int(low), int(high)) for low, high in zip(np.append(0, ends[:-1]), ends)]

    def kinks(self, theta: ndarray) -> float:
        """The L1 and group part at θ, whose rows beyond d (an intercept) are free."""
        top = theta[: len(self.l1)]
        total = float(np.sum(self.l1[:, None] * np.abs(top)))
        return total + sum(float(c * np.linalg.norm(top[g])) for c, g in zip(self.gamma, self.groups))

    def value(self, theta: ndarray) -> float:
        """The whole penalty at θ."""
        top = theta[: len(self.l1)]
        return self.kinks(theta) + 0.5 * float(np.sum(self.l2[:, None] * top * top))

    def prox(self, t: ndarray, curvature: float, column: int) -> ndarray:
        """The x that minimises ½ curvature ‖x‖² − t·x + kinks(x), for coefficients of one column or of its group."""
        if self.group_of[column] < 0:
            return np.sign(t) * np.maximum(np.abs(t) - self.l1[column], 0.0) / curvature
        norm, gamma = float(np.linalg.norm(t)), self.gamma[self.group_of[column]]
        return ((1.0 - gamma / norm) / curvature if norm > gamma and curvature > 0 else 0.0) * t

    def feasible(self, G: ndarray) -> float:
        """The largest part of slopes G (d, K), 1 at most, of which the conjugate is finite."""
        bare, part = self.l2 == 0, 1.0
        places = np.flatnonzero(bare & (self.group_of < 0) & (self.l1 > 0))
        limits = list(zip(self.l1[places], np.abs(G[places]).max(1, initial=0.0)))
        limits += [(c, float(np.linalg.norm(G[g]))) for c, g in zip(self.gamma, self.groups) if np.any(bare[g])]
        for limit, size in limits:
            if size > limit:
                part = min(part, limit / size)
        return part

    def conjugate(self, G: ndarray) -> float:
        """At least max over θ of G·θ − value(θ), for slopes within the strengths of columns without an L2 part.

        It is that where the columns of a group have one λ₂.
        """
        bare = self.l2 == 0
        alone = ~bare & (self.group_of < 0)
        over = np.maximum(np.abs(G[alone]) - self.l1[alone, None], 0.0)
        total = 0.5 * float(np.sum(over * over / self.l2[alone, None]))
        for c, group in zip(self.gamma, self.groups):
            if not np.any(bare[group]):
                total += 0.5 * max(float(np.linalg.norm(G[group])) - c, 0.0) ** 2 / float(self.l2[group].min())
        return total

    def divergence(self, theta: ndarray, G: ndarray, off: ndarray) -> float:
        """At least value(θ) + conjugate(−G) + θ·G for exact slopes that differ from G by ``off`` at most.

        G are within the strengths of columns without an L2 part. No term is a difference of larger ones.
        """
        x, a = theta[: len(self.l1)], -G
        alone = np.flatnonzero(self.group_of < 0)
        total = self._apart(x[alone], a[alone], off[alone], self.l1[alone, None], self.l2[alone, None])
        for c, group in zip(self.gamma, self.groups):
            total += self._group_apart(x[group], a[group], off[group], float(c), self.l2[group, None])
        return total * (1.0 + 16.0 * np.finfo(float).eps)

    @staticmethod
    def _apart(x: ndarray, a: ndarray, off: ndarray, l1: ndarray, l2: ndarray) -> float:
        """``divergence`` of columns in no group."""
        kinks = np.where(l1 > 0, l1 * np.abs(x) - np.clip(a, -l1, l1) * x, 0.0)
        ulps = 4.0 * np.finfo(float).eps * np.where(l1 > 0, l1 * np.abs(x), 0.0)
        bent = l2 > 0
        lam = np.where(bent, l2, 1.0)
        short = x - np.sign(a) * np.maximum(np.abs(a) - l1, 0.0) / lam
        curved = 0.5 * lam * short * short + np.abs(short) * off + off * off / (2.0 * lam)
        straight = np.where(l1 > 0, np.abs(x) * off, 0.0)
        return float(np.sum(np.maximum(kinks, 0.0) + ulps + np.where(bent, curved, straight)))

    @staticmethod
    def _group_apart(x: ndarray, a: ndarray, off: ndarray, gamma: float, l2: ndarray) -> float:
        """``divergence`` of one group."""
        size, width, wrong = (float(np.linalg.norm(each)) for each in (x, a, off))
        lam = float(l2.min())
        inner = a if width <= gamma else a * (gamma / width)
        kink = max(gamma * size - float(np.sum(inner * x)), 0.0) + 8.0 * np.finfo(float).eps * gamma * size
        if lam == 0:
            return kink + size * wrong + 0.5 * float(np.sum(l2 * x * x))
        short = x - (a - inner) / lam
        apart = float(np.linalg.norm(short)) * wrong + wrong * wrong / (2.0 * lam)
        return kink + 0.5 * lam * float(np.sum(short * short)) + 0.5 * float(np.sum((l2 - lam) * x * x)) + apart

    def excess(self, G: ndarray) -> ndarray:
        """How far each column's (or its group's) slope is beyond the penalty, (d,): 0 where zero is optimal."""
        out = np.maximum(np.abs(G) - self.l1[:, None], 0.0).max(1)
        for c, g in zip(self.gamma, self.groups):
            out[g] = max(float(np.linalg.norm(G[g])) - c, 0.0)
        return out

    def violation(self, theta: ndarray, g: ndarray) -> float:
        """The largest slope that is out of place, as a part of its L1 penalty; without groups."""
        top, l1 = theta[: len(self.l1)], self.l1[:, None]
        out = np.where(top == 0, np.maximum(np.abs(g[: len(l1)]) - l1, 0.0), np.abs(g[: len(l1)] + l1 * np.sign(top)))
        return float(np.max(out / np.where(l1 > 0, l1, self.l1.max()), initial=0.0))
