"""Hessian-free optimisation in a training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.solvers.curvature import Curvature, curvature_of
from gradwright.solvers.linear.martens_cg import Iterate, martens_cg
from gradwright.solvers.linear.vectors import dot
from gradwright.solvers.optimizers.base import CurvatureOptimizer
from gradwright.solvers.optimizers.batches import Batches
from gradwright.solvers.optimizers.info import StepInfo, StepStatus
from gradwright.solvers.optimizers.sample_diagonal import sample_diagonal
from gradwright.solvers.problem.objective import Point

PRECONDITIONERS = (None, "empirical-fisher", "jacobi")


class HessianFree(CurvatureOptimizer):
    """Martens' Hessian-free optimisation: CG on q(δ) = gᵀδ + ½ δᵀ(G + λI)δ, and λ by how well q predicts f.

    CG starts at 0.95 times the solution of the last step and stops by relative progress (:func:`martens_cg`); of the
    iterates it kept, the latest is compared with earlier ones for as long as f gets lower. A step length α = 0.8ʲ then
    satisfies f(θ + αδ) ≤ f(θ) + 10⁻² α gᵀδ. With ρ = (f(θ + αδ) − f(θ)) / q(αδ), λ grows by 3/2 if ρ < ¼ and shrinks by
    2/3 if ρ > ¾. A step that lowers nothing is not made: λ grows, and the next CG starts from zero.

    Where the paper leaves a choice: q in ρ holds λ and is taken at the step made, α included; f is judged by
    ``evaluation``, by default the gradient batch.

    Args:
        params: parameters or groups; a group may set ``damping_scale`` (1.0), which multiplies λ for its parameters.
        hvp: ``"gauss-newton"``, for which the closure returns (loss, outputs), or any other curvature, such as
            ``"auto"`` for the Hessian, whose negative directions end CG early.
        damping: the first λ.
        precondition: None, ``"empirical-fisher"`` for M = (diag of squared sample gradients + λ)^0.75, or ``"jacobi"``
            for M = (|diag G| + λ)^0.75 estimated by ten products.
        tolerance: ε of the stopping rule.
        max_cg: products in one step at most.
        decay: of the solution that CG starts from.
        check: see :class:`CurvatureOptimizer`.

    Reference: Martens, ICML 2010; Martens and Sutskever, in Neural Networks: Tricks of the Trade (2012).
    """

    group_settings: ClassVar[tuple[str, ...]] = ("damping_scale",)
    pace: ClassVar[str] = "the damping"

    def __init__(
        self,
        params: Iterable[Any],
        hvp: str | Curvature = "gauss-newton",
        damping: float = 1.0,
        precondition: str | None = None,
        tolerance: float = 5e-4,
        max_cg: int = 250,
        decay: float = 0.95,
        check: bool = True,
    ) -> None:
        if not 0 < damping < math.inf:
            raise ValueError(f"damping={damping} must be positive; 1.0 is usual, it adapts by itself")
        if precondition not in PRECONDITIONERS:
            raise ValueError(f'precondition={precondition!r} is unknown; None, "empirical-fisher" or "jacobi"')
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay} must lie in [0, 1); 0.95 is usual, 0 starts CG at zero")
        if max_cg < 1:
            raise ValueError(f"max_cg={max_cg} must be at least 1")
        settings = {
            "hvp": curvature_of(hvp),
            "precondition": precondition,
            "tolerance": tolerance,
            "max_cg": max_cg,
            "decay": decay,
        }
        super().__init__(params, settings, check)
        self.memory |= {"damping": damping}

    @property
    def vectors(self) -> dict[str, tuple[int, ...]]:
        return {**super().vectors, "warm": ()}

    def _iterate(self, batches: Batches) -> StepInfo:
        ended = batches.unusable()
        if ended is not None:
            return ended
        memory, settings, g = self.memory, self.settings, batches.point.gradient
        shift = memory["damping"] * self._scales(g)
        warm = self._warm(batches)
        run = martens_cg(
            batches.hessian.shifted(shift),
            -g,
            None if warm is None else settings["decay"] * warm,
            self._preconditioner(batches.curvature_point, shift),
            settings["tolerance"],
            settings["max_cg"],
            batches.point.objective.eps,
        )
        if not run.kept:
            return self._reject(batches, math.nan, run.negative)
        chosen, lowest = self._backtrack(batches, run.kept)
        alpha, point = self._search(batches, chosen, lowest)
        if point is None:
            return self._reject(batches, math.nan, run.negative)
        expected = alpha * dot(g, chosen.x) + 0.5 * alpha**2 * chosen.curvature
        actual, noise = point.value - batches.base.value, batches.judge.noise(batches.base.value)
        ratio = (actual - noise) / (expected - noise) if expected < 0 else -math.inf
        memory["damping"] *= 1.5 if ratio < 0.25 else 2 / 3 if ratio > 0.75 else 1.0
        self._keep_warm(batches, run.kept[-1].x)
        batches.settle(point)
        batches.remember(point)
        more = {"damping": memory["damping"], "alpha": alpha, "negative_curvature": run.negative is not None}
        return batches.info(StepStatus.ACCEPTED, point.value, ratio, **more)

    def _backtrack(self, batches: Batches, kept: list[Iterate]) -> tuple[Iterate, Point]:
        """Back from the last iterate for as long as f gets lower."""
        best = kept[-1]
        lowest = batches.judge.at(batches.point.x + best.x)
        for iterate in reversed(kept[:-1]):
            trial = batches.judge.at(batches.point.x + iterate.x)
            if _value(trial) > _value(lowest):
                break
            if _value(trial) < math.inf:
                best, lowest = iterate, trial
            elif _value(lowest) < math.inf:
                break
        return best, lowest

    def _search(self, batches: Batches, chosen: Iterate, point: Point) -> tuple[float, Point | None]:
        """α = 0.8ʲ and the point there, or None where nothing lowers f enough."""
        base, slope = batches.base.value, dot(batches.point.gradient, chosen.x)
        noise, alpha = batches.judge.noise(base), 1.0
        for _ in range(60):
            enough = point.value <= base + min(1e-2 * alpha * slope, 0.0) + noise
            if math.isfinite(point.value) and enough and point.usable:
                return (alpha, point) if point.value < base or alpha * abs(slope) <= noise else (alpha, None)
            alpha *= 0.8
            point = batches.judge.at(batches.point.x + alpha * chosen.x)
        return alpha, None

    def _reject(self, batches: Batches, ratio: float, negative: float | None) -> StepInfo:
        """Stay, with a larger λ, at least twice the negative curvature that was met, and no warm start."""
        memory = self.memory
        memory["damping"] = max(1.5 * memory["damping"], 2 * abs(negative or 0.0))
        self._keep_warm(batches, None)
        more = {"damping": memory["damping"], "negative_curvature": negative is not None}
        return batches.info(StepStatus.REJECTED, batches.base.value, ratio, **more)

    def _warm(self, batches: Batches) -> Tensor | None:
        """The last solution, with zeros for parameters that had no part in it."""
        kept = [self.state.get(parameter, {}).get("warm") for parameter in batches.parameters]
        if all(each is None for each in kept):
            return None
        like = batches.point.x
        parts = [
            like.new_zeros(p.numel()) if each is None else each.reshape(-1).to(like)
            for p, each in zip(batches.parameters, kept)
        ]
        return batches.point.evaluation.visible(torch.cat(parts))

    def _keep_warm(self, batches: Batches, solution: Tensor | None) -> None:
        """Keep a solution for the parameters of this step, and no older one for others."""
        for entries in self.state.values():
            entries.pop("warm", None)
        if solution is not None:
            for parameter, part in zip(batches.parameters, batches.layout.split(solution)):
                self.state[parameter]["warm"] = part.to(parameter.device, copy=True)

    def _preconditioner(self, point: Point, shift: Tensor) -> Callable[[Tensor], Tensor] | None:
        name = self.settings["precondition"]
        if name is None:
            return None
        diagonal = (
            sample_diagonal(point) if name == "empirical-fisher" else point.hessian.diagonal(point.x, probes=10).abs()
        )
        M = (diagonal + shift) ** 0.75
        return lambda r: r / M

    def _scales(self, like: Tensor) -> Tensor:
        """The factors of λ as a vector."""
        parts = []
        for group in self.param_groups:
            factor = float(group.get("damping_scale", 1.0))
            parts += [like.new_full((p.numel(),), factor) for p in group["params"] if p.requires_grad]
        return torch.cat(parts)


def _value(point: Point) -> float:
    return point.value if math.isfinite(point.value) else math.inf
