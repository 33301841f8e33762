"""Cautious methods: the direction is masked where it disagrees with the gradient; decay is not."""

import numpy as np

from tests.reference.adam import adam_direction
from tests.reference.muon import muon_direction
from tests.reference.sgd import momentum_sum
from tests.reference.sign import lion_direction


def masked(u, g):
    """Rescaled by the share of entries that are left, at most a thousandfold."""
    mask = (u * g > 0).astype(float)
    return u * mask / max(np.mean(mask), 1e-3)


def cautious_adamw(state, p, g, *, lr, betas, eps, weight_decay, amsgrad):
    return p - lr * (masked(adam_direction(state, g, betas, eps, amsgrad), g) + weight_decay * p)


def cautious_lion(state, p, g, *, lr, betas, weight_decay):
    return p - lr * (masked(lion_direction(state, g, betas), g) + weight_decay * p)


def cautious_muon(state, p, g, *, lr, momentum, weight_decay, nesterov, coefficients, adjust_lr, norm, split, lazy):
    direction = muon_direction(state, g, momentum, nesterov, coefficients, adjust_lr, norm, split)
    assert not lazy
    return p - lr * (masked(direction, g) + weight_decay * p)


def cautious_sgd(state, p, g, *, lr, momentum, dampening, weight_decay, nesterov):
    """The penalty is part of the gradient, so the mask compares with it."""
    g = g + weight_decay * p
    return p - lr * masked(momentum_sum(state, g, momentum, dampening, nesterov), g)
