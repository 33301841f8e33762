"""LAMB with bias correction: decay inside the ratio, vectors excluded from both."""

import numpy as np

from tests.reference.adam import adam_direction


def lamb(state, p, g, *, lr, betas, eps, weight_decay):
    u = adam_direction(state, g, betas, eps)
    if p.ndim < 2:
        return p - lr * u
    u = u + weight_decay * p
    length, stride = np.sqrt(np.sum(p**2)), np.sqrt(np.sum(u**2))
    ratio = length / stride if length > 0 and stride > 0 else 1.0
    return p - lr * ratio * u
