"""Trust-region Newton-CG in a training loop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.solvers.curvature import Curvature, curvature_of
from gradwright.solvers.linear.steihaug import steihaug
from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.methods.trust_region import next_radius
from gradwright.solvers.optimizers.base import CurvatureOptimizer
from gradwright.solvers.optimizers.batches import Batches
from gradwright.solvers.optimizers.info import StepInfo, StepStatus
from gradwright.solvers.searches.parabola import turn


class NewtonCG(CurvatureOptimizer):
    """One step minimises gᵀp + ½ pᵀHp inside ‖p‖ ≤ Δ by truncated CG, and moves if f falls as expected.

    ρ = (f − f⁺ + ε) / (m(0) − m(p) + ε), ε the rounding of f. The step is taken if ρ > 10⁻⁴. After a rejection the
    stored CG path is cut at a smaller radius, so a second trial costs one evaluation and no product. Negative curvature
    is followed to the boundary. A trial whose value or gradient is not finite was too far.

    Args:
        params: parameters or groups; a group may set ``scale`` (1.0), the typical size of its parameters: the region is
            Σ ‖p_group / scale‖² ≤ Δ².
        hvp: where products come from: ``"auto"``, another name out of ``CURVATURES``, or a :class:`Curvature`.
            ``"gauss-newton"`` wants a closure that returns (loss, outputs).
        radius: the first Δ; left out, the length of the Cauchy step, within a thousandth to a thousand of ‖x‖.
        forcing: CG stops at ‖r‖ ≤ min(forcing, √(‖g‖ / largest ‖g‖)) ‖g‖.
        max_cg: products in one step at most.
        max_trials: evaluations of one step at most.
        check: see :class:`CurvatureOptimizer`.

    Reference: Steihaug, SIAM J. Numer. Anal. 20 (1983).

    >>> w = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    >>> opt = NewtonCG([w])
    >>> def closure():
    ...     opt.zero_grad()
    ...     loss = (w * w * torch.tensor([1.0, 50.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> opt.step(closure).accepted
    True
    """

    group_settings: ClassVar[tuple[str, ...]] = ("scale",)
    pace: ClassVar[str] = "the trust region"

    def __init__(
        self,
        params: Iterable[Any],
        hvp: str | Curvature = "auto",
        radius: float | None = None,
        forcing: float = 0.1,
        max_cg: int = 100,
        max_trials: int = 10,
        check: bool = True,
    ) -> None:
        if radius is not None and not 0 < radius < math.inf:
            raise ValueError(f"radius={radius} must be positive; leave it out for the length of the Cauchy step")
        if not 0 < forcing < 1:
            raise ValueError(f"forcing={forcing} must lie between 0 and 1; 0.1 is usual")
        for name, value in (("max_cg", max_cg), ("max_trials", max_trials)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        settings = {"hvp": curvature_of(hvp), "forcing": forcing, "max_cg": max_cg, "max_trials": max_trials}
        super().__init__(params, settings, check)
        self.memory |= {"radius": radius, "largest": 0.0}

    def _iterate(self, batches: Batches) -> StepInfo:
        ended = batches.unusable()
        if ended is not None:
            return ended
        memory, settings, point = self.memory, self.settings, batches.point
        size = norm(point.gradient)
        memory["largest"] = max(memory["largest"], size)
        scale = self._scale(point.x)
        path = steihaug(
            batches.hessian,
            point.gradient,
            memory["radius"] if memory["radius"] is not None else _first_radius(point.x, scale),
            min(settings["forcing"], math.sqrt(size / memory["largest"])),
            None if scale is None else lambda r: scale**2 * r,
            settings["max_cg"],
            point.objective.eps,
        )
        return self._try(batches, path)

    def _try(self, batches: Batches, path: Any) -> StepInfo:
        """Trials along the stored path until one is accepted."""
        memory, point, base, judge = self.memory, batches.point, batches.base, batches.judge
        radius, ratio, status = path.radius, math.nan, StepStatus.REJECTED
        for _ in range(self.settings["max_trials"]):
            step = path.within(radius)
            target = point.x + step.p
            if torch.equal(target.to(judge.dtype), point.flat):
                status = StepStatus.NOISE_FLOOR
                break
            trial = judge.at(target)
            if not (math.isfinite(trial.value) and trial.usable):
                ratio, radius = -math.inf, 0.1 * step.length
                continue
            noise, actual = judge.noise(base.value, trial.value), base.value - trial.value
            if batches.same and abs(actual) <= noise and step.reduction <= noise:
                ratio = -0.5 * dot(point.gradient + trial.gradient, step.p) / step.reduction
            else:
                ratio = (actual + noise) / (step.reduction + noise)
            radius = next_radius(radius, step, ratio, turn(base.value, trial.value, dot(point.gradient, step.p)))
            if ratio > 1e-4:
                memory["radius"] = radius
                batches.settle(trial)
                batches.remember(trial)
                more = {"radius": radius, "negative_curvature": path.negative}
                return batches.info(StepStatus.ACCEPTED, trial.value, ratio, **more)
        if status is StepStatus.REJECTED:
            memory["radius"] = radius
        more = {"radius": memory["radius"], "negative_curvature": path.negative}
        return batches.info(status, base.value, ratio, **more)

    def _scale(self, like: Tensor) -> Tensor | None:
        """The typical sizes as a vector, or None where all are 1."""
        sizes = [float(group.get("scale", 1.0)) for group in self.param_groups]
        if all(size == 1.0 for size in sizes):
            return None
        parts = [
            torch.full((p.numel(),), size, dtype=like.dtype, device=like.device)
            for group, size in zip(self.param_groups, sizes)
            for p in group["params"]
            if p.requires_grad
        ]
        return torch.cat(parts)


def _first_radius(x: Tensor, scale: Tensor | None) -> Any:
    size = norm(x if scale is None else x / scale) or 1.0
    return lambda cauchy: min(max(cauchy, 1e-3 * size), 1e3 * size)
