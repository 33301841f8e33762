"""Grokfast and the untuned warm-up around any other method."""

import numpy as np

from tests.reference.age import age


def grokfast(state, p, g, *, base, grokfast_alpha, grokfast_lamb, **knobs):
    slow = state["slow"] = grokfast_alpha * state.get("slow", g) + (1 - grokfast_alpha) * g
    return base(state.setdefault("inner", {}), p, g + grokfast_lamb * slow, **knobs)


def untuned_warmup(state, p, g, *, base, lr, beta2, **knobs):
    """A schedule of the learning rate, and nothing else."""
    return base(state.setdefault("inner", {}), p, g, lr=lr * -np.expm1(-(1 - beta2) * age(state)), **knobs)
