"""Independent references: losses written from their equations, and a plain Newton method in float64."""

import numpy as np
from scipy.optimize import minimize


def loss(name, z, y, **numbers):
    """ℓ of each row, z of shape (n, K)."""
    t = z[:, 0]
    if name == "softmax":
        return np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1) - z[np.arange(len(z)), y.astype(int)]
    if name == "logistic":
        return np.logaddexp(0.0, t) - y * t
    if name == "squared":
        return 0.5 * (t - y) ** 2
    if name == "poisson":
        return np.exp(t) - y * t + np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0)), 0.0) - y
    if name == "gamma":
        return t + y * np.exp(-t) - np.log(y) - 1
    if name == "tweedie":
        p = numbers["power"]
        value = np.exp((2 - p) * t) / (2 - p) - y * np.exp((1 - p) * t) / (1 - p)
        return value + y ** (2 - p) * (1 / (1 - p) - 1 / (2 - p))
    if name == "huber":
        r, d = np.abs(t - y), numbers["delta"]
        return np.where(r <= d, 0.5 * r * r, d * r - 0.5 * d * d)
    if name == "squared_hinge":
        return np.maximum(0.0, 1 - y * t) ** 2
    if name == "squared_epsilon_insensitive":
        return np.maximum(0.0, np.abs(t - y) - numbers["epsilon"]) ** 2
    raise KeyError(name)


def objective(name, X, y, W, b, s, l2, l1=0.0, offset=0.0, **numbers):
    """Weighted mean loss plus penalties."""
    s = np.ones(len(y)) if s is None else s
    z = X.astype(np.float64) @ W + b + offset
    value = s @ loss(name, z, y, **numbers) / s.sum()
    return value + 0.5 * np.sum(np.reshape(l2, (-1, 1)) * W * W) + np.sum(np.reshape(l1, (-1, 1)) * np.abs(W))


def best(name, X, y, K, s, l2, intercept, **numbers):
    """The minimum by SciPy's L-BFGS-B with numeric care: a reference objective, from three starts of precision."""
    d = X.shape[1]

    def f(t):
        W = t[: d * K].reshape(d, K)
        return objective(name, X, y, W, t[d * K :] if intercept else 0.0, s, l2, **numbers)

    t = np.zeros(d * K + K * intercept)
    for _ in range(5):
        t = minimize(
            f, t, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5000, "maxfun": 10**6}
        ).x
    return f(t)
