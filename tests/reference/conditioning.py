"""Conditions on the gradient of one tensor, each before a method of choice."""

import numpy as np


def per_unit(x, measure):
    """``measure`` of every output's entries, shaped to divide by; of the whole where there is one dimension at most."""
    if np.ndim(x) < 2:
        return measure(np.ravel(x))
    found = np.array([measure(unit.ravel()) for unit in x])
    return found.reshape(-1, *([1] * (np.ndim(x) - 1)))


def root_mean_square(x):
    return np.sqrt(np.mean(x**2))


def agc(p, g, factor, floor):
    limit = factor * np.maximum(per_unit(p, np.linalg.norm), floor)
    length = per_unit(g, np.linalg.norm)
    return np.where(length > limit, g * limit / np.maximum(length, 1e-300), g)


def soft(p, g, factor, floor, smooth):
    limit = factor * np.maximum(per_unit(p, root_mean_square), floor)
    size = per_unit(g, root_mean_square)
    return g / np.sqrt(1 + (size / limit) ** 2) if smooth else g * np.minimum(limit / np.maximum(size, 1e-300), 1)


def centered(g):
    return g - per_unit(g, np.mean) if np.ndim(g) > 1 and np.size(g) > len(g) else g


def clipped_together(gradients, max_norm):
    """All gradients of a step, by one norm."""
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * (max_norm / length) if length > max_norm else g for g in gradients]


def clipped(state, p, g, *, base, max_norm, nonfinite, **knobs):
    """Of a single tensor; ``nonfinite`` plays no part while all is finite."""
    return base(state, p, clipped_together([g], max_norm)[0], **knobs)


def value_clipped(state, p, g, *, base, clip_value, **knobs):
    return base(state, p, np.clip(g, -clip_value, clip_value), **knobs)


def adaptively_clipped(state, p, g, *, base, clip_factor, clip_floor, clip_only, **knobs):
    return base(state, p, agc(p, g, clip_factor, clip_floor), **knobs)


def softly_clipped(state, p, g, *, base, clip_factor, clip_floor, smooth, **knobs):
    return base(state, p, soft(p, g, clip_factor, clip_floor, smooth), **knobs)


def centralized(state, p, g, *, base, centralize_only, **knobs):
    """Before a method whose decay, if any, is not part of the gradient."""
    return base(state, p, centered(g) if centralize_only != "convolution" or np.ndim(g) > 3 else g, **knobs)


def centralized_sgd(state, p, g, *, lr, momentum, dampening, weight_decay, nesterov, centralize_only):
    """The authors' order: the penalty is added first."""
    g = centered(g + weight_decay * p)
    m = g if "m" not in state else momentum * state["m"] + (1 - dampening) * g
    state["m"] = m
    return p - lr * (g + momentum * m if nesterov else m)
