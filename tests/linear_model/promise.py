"""Small problems of every loss and penalty, most of them hard: ill-conditioned, collinear, separable, out of range."""

import warnings

import numpy as np

from gradwright import linear_model as lm

from .extended import LD, Model, objective, polished

LOSSES = ("squared", "logistic", "softmax", "poisson", "gamma", "tweedie", "huber", "squared_hinge")
LOSSES += ("squared_epsilon_insensitive", "absolute", "epsilon_insensitive", "hinge")
NATURES = ("plain", "years", "duplicates", "rounded", "separable", "overflow", "large", "offset", "spread", "weights")
TOLERANCES = (1e-3, 1e-6, 1e-10)
COUNT = 300


def columns(nature, rng, n, d):
    """X of one nature."""
    X = rng.normal(size=(n, d))
    if nature == "years":
        return np.linspace(1900, 2024, n)[:, None] ** np.arange(1, d + 1)
    if nature == "duplicates" and d > 2:
        X[:, -1], X[:, 1] = X[:, 0], 3.0
    if nature == "rounded" and d > 2:
        X[:, -1] = X[:, 0] + X[:, 1]
    if nature == "spread":
        X = X * 10 ** rng.uniform(-6, 6, d) + rng.normal(size=d) * 100
    return X


def targets(loss, nature, rng, X, K):
    """y for a loss, from a signal that may be too clear."""
    x = X - X.mean(0)
    size = np.abs(x).max(0)
    t = np.clip((x / np.where(size > 0, size, 1.0)) @ rng.normal(size=X.shape[1]) * 2.0, -4, 4)
    noise = 0.0 if nature == "separable" else 1.0
    n = len(t)
    if loss == "softmax":
        y = np.digitize(t + noise * rng.normal(size=n), np.quantile(t, [1 / 3, 2 / 3])).astype(float)
        y[:K] = range(K)
        return y
    if loss in ("logistic", "hinge", "squared_hinge"):
        y = (t + noise * rng.logistic(size=n) > np.median(t)).astype(float)
        y[:2] = (0, 1) if t[0] < t[1] else (1, 0)
        return y
    if loss in ("poisson", "tweedie"):
        y = rng.poisson(np.exp(t + (12.0 if nature == "large" else 0.0))).astype(float)
        y[0] += 1.0
        return y
    if loss == "gamma":
        return np.exp(t) * (rng.gamma(2.0, 0.5, n) + 1e-3)
    unit = {"overflow": 1e155, "large": 1e10}.get(nature, 1.0)
    return (t + noise * rng.standard_t(3, size=n)) * unit


def problem(number):
    """The estimator, its data and the model it minimises, for a number below ``COUNT``."""
    rng = np.random.default_rng(number)
    # numbers of 12 losses and 10 natures that meet in all pairs
    loss = LOSSES[number % len(LOSSES)]
    nature = NATURES[(number // len(LOSSES) + number) % len(NATURES)]
    n, d, tol = int(rng.integers(12, 70)), int(rng.integers(1, 7)), TOLERANCES[number % 3]
    K = 3 if loss == "softmax" else 1
    X = columns(nature, rng, n, d)
    y = targets(loss, nature, rng, X, K)
    kinked = loss in ("absolute", "epsilon_insensitive", "hinge", "squared_hinge")
    ratio = 0.0 if kinked else float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    alpha = (
        float(10 ** rng.uniform(-6, 0)) if rng.random() < 0.7 or ratio or loss in ("hinge", "squared_hinge") else 0.0
    )
    if nature == "overflow" and ratio:
        alpha = alpha * (1e155 if loss not in ("logistic", "softmax", "poisson", "gamma", "tweedie") else 1.0)
    weights = rng.integers(0, 4, n).astype(float) if nature == "weights" else None
    if weights is not None:
        weights[:3] = 1.0
    offset = 1e4 * rng.normal(size=n) if nature == "offset" and loss in ("squared", "huber", "absolute") else None
    if nature == "offset" and loss in ("logistic", "poisson", "gamma"):
        offset = rng.normal(size=n) + 3.0
    intercept = bool(rng.random() < 0.8)
    s = np.ones(n) if weights is None else weights
    settings = {"tol": tol, "fit_intercept": intercept, "max_iter": 300}
    numbers = {"power": 1.5, "delta": 1.0, "epsilon": 0.1}
    if loss in ("softmax", "logistic"):
        C = 1.0 / (alpha * s.sum()) if alpha else np.inf
        estimator = lm.LogisticRegression(C, l1_ratio=ratio, **settings)
        strength = 1.0 / (C * s.sum())
    elif loss in ("hinge", "squared_hinge"):
        C = 1.0 / (alpha * s.sum())
        estimator, strength = lm.LinearSVC(C, loss=loss, **settings), 1.0 / (C * s.sum())
    else:
        estimator = lm.GeneralizedLinearModel(loss, alpha=alpha, l1_ratio=ratio, **settings)
        strength = alpha
    own = np.where(y > 0, 1.0, -1.0) if loss in ("hinge", "squared_hinge") else y
    rows = np.ones(d)
    given = 0.0 if offset is None else offset[:, None]
    model = Model(
        loss, numbers, X, own, s / s.sum(), strength * ratio * rows, strength * (1 - ratio) * rows, intercept, K, given
    )
    return (
        estimator,
        (X, y, weights, offset),
        model,
        f"{loss}, {nature}, l1_ratio {ratio}, alpha {alpha:.2g}, tol {tol}",
    )


def fitted(estimator, data):
    """Fit without a word."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return estimator.fit(*data)


def broken(number):
    """What a problem's certificate promises and does not keep, in words; None where all holds."""
    estimator, data, model, words = problem(number)
    done = fitted(estimator, data)
    result, tol = done.result_, estimator.tol
    if result.status == "converged":
        finite = np.isfinite([result.objective, result.gap_bound]).all() and np.isfinite(done.coef_).all()
        if not finite or not result.gap_bound <= tol * result.objective:
            return f"{number} ({words}): converged with {result.objective} and {result.gap_bound}"
    if np.isnan(result.gap_bound) or result.gap_bound < 0:
        return f"{number} ({words}): gap {result.gap_bound}"
    W, b = np.atleast_2d(done.coef_).T, np.atleast_1d(done.intercept_)
    here = objective(model, W, b)
    starts = [(W, b)]
    tight = fitted(type(estimator)(**{**estimator.get_params(), "tol": 1e-13}), data)
    starts.append((np.atleast_2d(tight.coef_).T, np.atleast_1d(tight.intercept_)))
    best = min(polished(model, *start) for start in starts)
    # what long double itself cannot tell, of sums of targets and of predictions
    sizes = np.abs(model.X) @ np.abs(W) + np.abs(b) + np.abs(model.y)[:, None] * np.log(2 + np.abs(model.y))[:, None]
    slack = LD(1e-18) * (abs(here) + sizes.max())
    if not here - best <= LD(result.gap_bound) + slack:
        return f"{number} ({words}): {result.status}, bound {result.gap_bound:.3g}, true gap {float(here - best):.3g}"
    return None
