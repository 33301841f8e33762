"""Muon. The Newton-Schulz iteration acts on singular values alone, so here it is done on them."""

import math

import numpy as np

KELLER = [(3.4445, -4.7750, 2.0315)] * 5
YOU = [
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
]
POLYNOMIALS = {"keller": KELLER, "you": YOU}


def response(sigma, coefficients):
    """What the iteration makes of a singular value of the normalised matrix."""
    for a, b, c in POLYNOMIALS[coefficients]:
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    return sigma


def newton_schulz(g, coefficients):
    left, sigma, right = np.linalg.svd(g, full_matrices=False)
    length = math.sqrt(np.sum(sigma**2))
    return left @ np.diag(response(sigma / length if length > 0 else sigma, coefficients)) @ right


def muon_direction(state, g, momentum, nesterov, coefficients, adjust_lr):
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    u = (1 - momentum) * g + momentum * m if nesterov else m
    if u.ndim == 3:  # a stack: each matrix for itself
        return np.stack([_scaled(matrix, coefficients, adjust_lr) for matrix in u])
    return _scaled(u.reshape(u.shape[0], -1), coefficients, adjust_lr).reshape(g.shape)


def _scaled(matrix, coefficients, adjust_lr):
    n, m = matrix.shape
    scale = math.sqrt(max(1, n / m)) if adjust_lr == "original" else 0.2 * math.sqrt(max(n, m))
    return scale * newton_schulz(matrix, coefficients)


def muon(state, p, g, *, lr, momentum, weight_decay, nesterov, coefficients, adjust_lr):
    direction = muon_direction(state, g, momentum, nesterov, coefficients, adjust_lr)
    return p * (1 - lr * weight_decay) - lr * direction
