"""Random problems of every loss, as data for tests."""

from typing import NamedTuple

import numpy as np

from gradwright.linear_model import losses


class Case(NamedTuple):
    loss: object
    K: int
    X: np.ndarray
    y: np.ndarray
    s: np.ndarray | None
    l2: float
    intercept: bool


LOSSES = {
    "logistic": losses.Logistic(),
    "softmax": losses.Softmax(4),
    "squared": losses.Squared(),
    "poisson": losses.Poisson(),
    "gamma": losses.Gamma(),
    "tweedie": losses.Tweedie(1.5),
    "huber": losses.Huber(1.0),
    "squared_hinge": losses.SquaredHinge(),
    "squared_epsilon_insensitive": losses.SquaredEpsilonInsensitive(0.1),
}

NUMBERS = {"tweedie": {"power": 1.5}, "huber": {"delta": 1.0}, "squared_epsilon_insensitive": {"epsilon": 0.1}}


def draw(name: str, seed: int, rows: int | None = None, columns: int | None = None) -> Case:
    """A problem of one loss, with columns of unlike scales and means."""
    rng = np.random.default_rng(seed)
    n = rows or int(rng.integers(30, 300))
    d = columns or int(rng.integers(1, 25))
    X = rng.normal(size=(n, d)) * 10 ** rng.uniform(-1, 1, d) + rng.normal(size=d) * (seed % 3)
    t = np.clip((X - X.mean(0)) / X.std(0) @ rng.normal(size=d) * 0.5, -3, 3)
    K, y = 1, t + rng.normal(size=n)
    if name == "softmax":
        K, y = 4, rng.integers(0, 4, n).astype(float)
        y[:4] = range(4)
    elif name == "logistic":
        y = (y > 0).astype(float)
        y[:2] = 0, 1
    elif name == "squared_hinge":
        y = np.where(y > 0, 1.0, -1.0)
    elif name in ("poisson", "tweedie"):
        y = rng.poisson(np.exp(t)).astype(float)
        y[0] = 1.0
    elif name == "gamma":
        y = rng.gamma(2.0, np.exp(t)) + 1e-3
    elif name == "huber":
        y = t + rng.standard_t(2, size=n)
    s = rng.random(n) if seed % 2 else None
    return Case(LOSSES[name], K, X, y, s, float(10 ** rng.uniform(-4, 0)), bool(rng.integers(2)))
