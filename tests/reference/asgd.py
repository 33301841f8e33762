"""ASGD and Rprop, each written as its paper has it."""

import numpy as np

from tests.reference.age import age


def asgd(state, p, g, *, lr, lambd, alpha, t0, weight_decay):
    """The average is the mean of the weights after step t₀ + 1, kept as a list."""
    t = age(state)
    eta = lr if t == 1 else state["eta"]
    p = p - eta * (g + weight_decay * p + lambd * p)
    state["eta"] = lr * (1 + lambd * lr * t) ** -alpha
    late = state.setdefault("late", [])
    late[:] = [p] if t <= t0 + 1 else [*late, p]
    state["mean"] = np.mean(late, axis=0)
    return p


def rprop(state, p, g, *, lr, etas, step_sizes):
    """Riedmiller and Braun's rule, entry by entry, without going back a step."""
    first = age(state) == 1
    before = np.zeros_like(g) if first else state["before"]
    size = np.full_like(g, lr) if first else state["size"]
    kept, now = np.empty_like(g), np.empty_like(g)
    for at in np.ndindex(g.shape):
        agreement = np.sign(g[at]) * np.sign(before[at])
        factor = {1.0: etas[1], -1.0: etas[0], 0.0: 1.0}[agreement]
        now[at] = min(max(size[at] * factor, step_sizes[0]), step_sizes[1])
        kept[at] = 0.0 if agreement < 0 else g[at]
    state["size"], state["before"] = now, kept
    return p - np.sign(kept) * now
