"""Hager and Zhang's search as a transform: the library's own, along the step of what comes before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.problem.sources import FunctionSource
from gradwright.solvers.searches import HagerZhang
from gradwright.solvers.searches.line import Line
from gradwright.solvers.transforms.base import ExtraArgsTransform, gradient_of


def scale_by_hager_zhang(delta: float = 0.1, sigma: float = 0.9, max_trials: int = 60) -> ExtraArgsTransform:
    """Multiply an additive step by a length that satisfies Wolfe's conditions, or the approximate ones; see HagerZhang.

    The step becomes zero where it does not go downhill, or where no length improves on none.

    Args:
        delta, sigma, max_trials: as in :class:`gradwright.solvers.HagerZhang`.

    Extra arguments: value_fn; grad_fn where it is better than its derivative. State: the last length.
    """
    search = HagerZhang(delta=delta, sigma=sigma, max_trials=max_trials)

    def step(d: Tensor, alpha: float, params: Tensor, extra: dict[str, Any]) -> tuple[Tensor, float]:
        layout, _ = layout_of(params.detach())
        source = FunctionSource(
            layout, extra["value_fn"], gradient_of(extra) if extra.get("grad_fn") is not None else None
        )
        objective = Objective(source)
        here = objective.at(params.detach().reshape(-1))
        line = Line(objective, here, objective.work(d.reshape(-1)))
        trial = search(line, 1.0) if line.slope < 0 else None
        if trial is None:
            return torch.zeros_like(d), 0.0
        return (trial.alpha * d).to(d.dtype), trial.alpha

    return ExtraArgsTransform("scale_by_hager_zhang", lambda params: 1.0, step, (("value_fn",),))
