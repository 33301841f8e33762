"""nSGDA: momentum of length one, by itself for each tensor or for all tensors of a player."""

import numpy as np

from tests.reference.age import age


def nsgda(state, p, g, *, lr, momentum, eps, weight_decay, over):
    """One tensor; the norm over all is another method's business."""
    assert over == "tensor"
    t = age(state)
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * (g + weight_decay * p)
    corrected = m / (1 - momentum**t)
    return p - lr * corrected / (np.sqrt(np.sum(corrected**2)) + eps)


def nsgda_together(state, params, gradients, *, lr, momentum, eps, weight_decay):
    """All tensors of one player, divided by one norm."""
    t = age(state)
    old = state.get("m", [0.0] * len(params))
    state["m"] = [momentum * m + (1 - momentum) * (g + weight_decay * p) for m, p, g in zip(old, params, gradients)]
    corrected = [m / (1 - momentum**t) for m in state["m"]]
    length = np.sqrt(sum(np.sum(m**2) for m in corrected))
    return [p - lr * m / (length + eps) for p, m in zip(params, corrected)]
