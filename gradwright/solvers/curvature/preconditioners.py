"""Preconditioners: positive definite M ≈ H in which CG measures steps and residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.solvers.linear.operator import Product
from gradwright.solvers.linear.vectors import dot
from gradwright.solvers.problem.hooks import silenced
from gradwright.solvers.problem.objective import Point
from gradwright.solvers.quasi_newton.memory import LBFGSMemory


class Metric(NamedTuple):
    """M as its two products: r ↦ M⁻¹r and v ↦ Mv."""

    solve: Product
    apply: Product

    def length(self, v: Tensor) -> float:
        """‖v‖_M."""
        return max(dot(v, self.apply(v)), 0.0) ** 0.5


@dataclass(frozen=True)
class Preconditioner:
    """Makes a :class:`Metric` at each iterate; what it remembers is its state."""

    def start(self) -> Any:
        """The state before the first iterate."""
        return None

    def at(self, state: Any, point: Point) -> tuple[Metric, Any]:
        """The metric at a point, and the new state."""
        raise NotImplementedError


def diagonal_metric(diagonal: Tensor) -> Metric:
    """M = diag(d), entries below 10⁻¹² of the largest raised to it."""
    top = float(diagonal.max())
    safe = diagonal.clamp(min=top * 1e-12) if top > 0 else torch.ones_like(diagonal)
    return Metric(lambda r: r / safe, lambda v: safe * v)


@dataclass(frozen=True)
class Jacobi(Preconditioner):
    """M = running maximum of |diag H|, so that steps are measured in units of each variable (Moré 1978).

    Args:
        probes: None for the exact diagonal by n products; else random vectors of signs in E[v ⊙ Hv] per iterate.
        seed: of the signs.
        memory: the part of the running maximum that the next iterate keeps, 0 to 1; 1 never forgets.
    """

    probes: int | None = None
    seed: int = 0
    memory: float = 1.0

    def start(self) -> tuple[Tensor | None, torch.Generator]:
        return None, torch.Generator().manual_seed(self.seed)

    def at(self, state: Any, point: Point) -> tuple[Metric, Any]:
        largest, generator = state
        diagonal = point.hessian.diagonal(point.x, self.probes, generator).abs()
        diagonal = torch.where(diagonal.isfinite(), diagonal, 0.0)
        largest = diagonal if largest is None else torch.maximum(self.memory * largest, diagonal)
        return diagonal_metric(largest), (largest, generator)


@dataclass(frozen=True)
class EmpiricalFisherDiagonal(Preconditioner):
    """M = (diag(1/N Σ gₙ²) + λ)^power of the per-sample gradients (Martens 2010, with power ¾).

    ``fun`` returns ``(loss, losses)`` with losses of shape (N,). λ is ``damping`` times the largest entry.

    Args:
        power: between 0 and 1.
        damping: relative to the largest entry.
        chunk: per-sample gradients held at once.
    """

    power: float = 0.75
    damping: float = 1e-6
    chunk: int = 64

    def at(self, state: Any, point: Point) -> tuple[Metric, Any]:
        losses = point.evaluation.extras
        if not isinstance(losses, Tensor) or losses.dim() != 1 or not losses.requires_grad:
            raise ValueError("EmpiricalFisherDiagonal needs per-sample losses; let fun return (loss, losses) with (N,)")
        point.evaluation.refresh()
        total = torch.zeros_like(point.x)
        for rows in torch.eye(len(losses), dtype=losses.dtype, device=losses.device).split(self.chunk):
            with silenced(point.evaluation.leaves):
                parts = torch.autograd.grad(
                    losses, point.evaluation.leaves, rows, retain_graph=True, is_grads_batched=True, allow_unused=True
                )
            flat = [
                leaf.new_zeros(len(rows), leaf.numel()) if part is None else part.reshape(len(rows), -1)
                for part, leaf in zip(parts, point.evaluation.leaves)
            ]
            total += torch.cat(flat, dim=1).to(total).square().sum(0)
        mean = total / len(losses)
        return diagonal_metric((mean + self.damping * mean.max()) ** self.power), state


class _Past(NamedTuple):
    memory: LBFGSMemory
    x: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class QuasiNewton(Preconditioner):
    """M = the L-BFGS matrix of the steps taken so far: curvature of earlier iterates speeds up CG at this one.

    Args:
        memory: pairs kept.
    """

    memory: int = 10

    def at(self, state: _Past | None, point: Point) -> tuple[Metric, Any]:
        if state is None:
            memory = LBFGSMemory(point.x.numel(), self.memory, point.x)
        else:
            memory = state.memory
            memory.push(point.x - state.x, point.gradient - state.gradient, point.objective.eps)
        return Metric(memory.apply_inverse, memory.apply), _Past(memory, point.x, point.gradient)


PRECONDITIONERS = {"jacobi": Jacobi, "empirical-fisher": EmpiricalFisherDiagonal, "l-bfgs": QuasiNewton}
"""Preconditioners by name."""


def preconditioner_of(given: str | Preconditioner | None) -> Preconditioner | None:
    """A preconditioner by name, as it is, or none.

    Raises:
        ValueError: an unknown name.
    """
    if given is None or isinstance(given, Preconditioner):
        return given
    if given not in PRECONDITIONERS:
        raise ValueError(f"precondition={given!r} is unknown; known are {', '.join(PRECONDITIONERS)}")
    return PRECONDITIONERS[given]()
