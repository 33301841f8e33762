"""Surefoot on a whole model: one list of tensors, since they share one scale."""

import math

import numpy as np

from tests.reference.age import age
from tests.reference.low_memory import factored

FLOOR, CLIP = 1e-3, 1.0


def _size(x):
    return math.sqrt(np.mean(x * x))


def surefoot_model(state, params, grads, *, split=1, **knobs):
    """The new parameters of all tensors after a step with all gradients; each block of rows is a tensor of its own."""
    if split == 1:
        return _step(state, params, grads, **knobs)
    cut = [[block for x in xs for block in np.split(x, split)] for xs in (params, grads)]
    moved = _step(state, *cut, **knobs)
    return [np.concatenate(moved[at : at + split]) for at in range(0, len(moved), split)]


def _step(state, params, grads, *, lr, betas, relative_step, rate, down, release, cap, cap_steps, keep, moment=""):
    t = age(state)
    own = state.setdefault("own", [{"z": p, "v": 0.0, "k": 0.0, "share": 1.0} for p in params])
    sizes = [max(_size(p), FLOOR) for p in params]
    counted = [size for p, size in zip(params, sizes) if p.ndim > 1] or sizes
    common = math.exp(np.mean(np.log(counted)))
    state["weights"] = state.get("weights", 0.0) + t * t
    moved = []
    for kept, y, g, size in zip(own, params, grads, sizes):
        if moment == "factored" and g.ndim > 1:
            kept["v"] = factored(kept, g, betas[1])
        else:
            kept["v"] = betas[1] * kept["v"] + (1 - betas[1]) * g * g
        root = np.sqrt(kept["v"] / (1 - betas[1] ** t))
        u = np.divide(g, root, out=np.zeros_like(g), where=root > 0)
        u = u / max(1.0, _size(u) / CLIP)
        sign = np.sign(np.sum(g * (y - kept["z"])))
        up = y.size**release if kept["k"] < 0 else 1.0
        kept["k"] += (t > 2) * rate * (up * sign if sign > 0 else down * sign)
        step = common * min(lr * relative_step * math.exp(kept["k"]), cap * min(1.0, math.sqrt(cap_steps / t)))
        shrink = min(0.5, keep / 2 * (step * _size(u) / max(size, common)) ** 2)
        x = kept["z"] + (y - kept["z"]) / kept["share"]
        kept["z"] = kept["z"] - step * u - shrink * kept["z"]
        x = x + t * t / state["weights"] * (kept["z"] - x)
        kept["share"] = betas[0]
        moved.append(betas[0] * x + (1 - betas[0]) * kept["z"])
    return moved


def surefoot(state, p, g, **knobs):
    """The same on one tensor."""
    return surefoot_model(state, [p], [g], **knobs)[0]
