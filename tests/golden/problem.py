"""The fixed problem: three tensors on a noisy quadratic bowl, twenty steps, the same on every machine."""

from __future__ import annotations

import numpy as np
import torch

from tests.families.kinds import GOLDEN_SHAPES as SHAPES
from tests.families.kinds import Variant

STEPS = 20
KEPT = (1, 2, 5, 10, 20)


def trajectory(chosen: Variant) -> dict[str, list[list[float]]]:
    """The flattened tensors after each kept step, and those to evaluate with where they are others."""
    stream = np.random.RandomState(2026)
    data = {shape: [stream.standard_normal(shape) for _ in range(3)] for shape in SHAPES}
    noise = {shape: stream.standard_normal((STEPS, *shape)) for shape in SHAPES}
    params = [torch.nn.Parameter(torch.tensor(data[shape][0])) for shape in chosen.shapes]
    groups = [{"params": [param], "role": role} for param, role in zip(params, chosen.roles)]
    optimizer = chosen.recipe(groups, engine="eager", **chosen.knobs)
    found: dict[str, list[list[float]]] = {}
    for t in range(1, STEPS + 1):
        loss = 0.0
        for param, shape in zip(params, chosen.shapes):
            _, target, curvature = data[shape]
            off = param.detach().numpy() - target
            loss += 0.5 * float(np.sum(np.exp(curvature) * off**2))
            g = np.exp(curvature) * off + 0.5 * noise[shape][t - 1]
            if t in chosen.nan_at:
                g[(0,) * g.ndim] = np.nan
            param.grad = torch.tensor(g)
        optimizer.step(loss=loss)
        if t in KEPT:
            found[f"step {t}"] = _numbers(params)
    with optimizer.evaluating():
        if (numbers := _numbers(params)) != found[f"step {STEPS}"]:
            found["evaluated"] = numbers
    return found


def _numbers(params: list[torch.nn.Parameter]) -> list[list[float]]:
    return [[float(f"{number:.12g}") for number in param.detach().flatten().tolist()] for param in params]
