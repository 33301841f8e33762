"""Rprop: steps that are learned from signs alone."""

from __future__ import annotations

import math

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import ResilientStep


@recipe(
    paper="Riedmiller & Braun 1993; torch.optim.Rprop",
    traits="elementwise rows scale_free",
    torch_state={"prev": "resilient_step.before", "step_size": "resilient_step.size"},
    bounds={"etas": (1e-12, math.inf), "step_sizes": (0.0, math.inf)},
    initial="lr",
)
def Rprop(lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2), step_sizes: tuple[float, float] = (1e-6, 50.0)):
    """Resilient backpropagation: each entry has a step of its own, longer while its gradient keeps its sign.

    s = sign(g · g before)
    δ ← clip(δ · (η₊ where s > 0, η₋ where s < 0), δ₋, δ₊);   g ← 0 where s < 0;   p ← p − sign(g) δ

    For gradients of the whole data: with batches signs change by chance, and steps only shrink. An entry whose gradient
    turned around rests for one step.

    lr is where the steps begin and nothing else, as in torch: a schedule has no effect after a parameter's first step,
    of which a warning tells.

    Args:
        lr: the first δ (torch's default).
        etas: η₋ in (0, 1), η₊ > 1, the factors (the paper's).
        step_sizes: δ₋ and δ₊, the least and the largest step (the paper's).
    """
    (shrink, grow), (least, most) = etas, step_sizes
    if not 0 < shrink < 1 < grow:
        raise ValueError(f"Rprop: etas=({shrink:g}, {grow:g}) must be a number in (0, 1) and one above 1")
    if least > most:
        raise ValueError(
            f"Rprop: step_sizes=({least:g}, {most:g}) must be the least step and the largest, in this order"
        )
    return chain(ResilientStep(lr, shrink, grow, least, most))
