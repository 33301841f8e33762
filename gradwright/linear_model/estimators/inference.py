"""Standard errors of coefficients from the curvature at the optimum."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.utils.validation import check_is_fitted

from gradwright.linear_model.certificate import Status
from gradwright.linear_model.losses import Loss, Softmax


@dataclass(frozen=True)
class StandardErrors:
    """Standard errors of ``coef_`` and ``intercept_``, of the same shapes, and the whole covariance.

    ``covariance`` is of (coefficients, intercept) of the first class, then of the next.
    """

    coef: ndarray
    intercept: ndarray | float
    covariance: ndarray
    dispersion: float


def standard_errors(model: Any, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> StandardErrors:
    """φ H⁻¹ J H⁻¹, with J = Σ wᵢ E ℓ''ᵢ xᵢ xᵢᵀ and H = J plus the L2 penalty, at a fitted model.

    The expectation is over targets with the fitted mean: without a penalty this is the inverse Fisher information, for
    gamma and Tweedie too, whose observed information differs from it; with one it is the spread of the penalised
    estimate, not its bias. A softmax without penalty is fixed by coefficients that sum to zero over classes. The
    dispersion φ is 1 for logistic, softmax and Poisson, and Pearson's χ² / (n − p) otherwise. Weights count as repeated
    rows.

    Args:
        model: fitted.
        X, y, sample_weight, offset: the rows of the fit.

    Raises:
        ValueError: an L1 or group penalty, a loss with kinks, rows that do not go with the fit, rows that can be
            separated, or an information matrix that is singular.
    """
    check_is_fitted(model)
    if model.result_.status is Status.separated:
        raise ValueError("rows can be separated, so that coefficients have no optimum and no errors; add an L2 penalty")
    other = copy(model)  # reading the rows sets classes_ and n_features_in_
    problem = other._problem(X, y, sample_weight, offset)
    if other.n_features_in_ != model.n_features_in_ or (
        hasattr(model, "classes_") and not np.array_equal(other.classes_, model.classes_)
    ):
        raise ValueError("X has other columns or y other classes than the fit; give the rows of the fit")
    loss = problem.loss
    if not isinstance(loss, Loss) or loss.shape == "pieces" or problem.penalty.has_kinks:
        raise ValueError(
            "standard errors need a smooth loss and no L1 or group penalty; a bootstrap works for the others"
        )
    size = (problem.data.d + problem.intercept) * problem.K
    if size > 5000:
        raise ValueError(f"standard errors need a matrix of {size} x {size}; use at most 5000 coefficients")
    objective = problem.objective(loss)
    objective.use(np.float64)
    W, b = np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_) * np.ones(problem.K)
    theta = objective.design.theta(W, b)
    objective.evaluate(theta)
    H = _information(objective)
    values = np.linalg.eigvalsh(H / np.sqrt(np.outer(np.diag(H), np.diag(H))))
    if values[0] < 1e-12:
        raise ValueError("the information matrix is singular: columns are collinear or classes are separated")
    inverse = np.linalg.inv(H)
    ridge = np.tile(objective.ridge[:, 0], problem.K)
    if isinstance(loss, Softmax):
        # the curvature that stands for the direction without effect is no information
        p, K = objective.p, objective.K
        free = np.where(objective.ridge[:, 0] == 0, 1.0, 0.0)
        kept = np.kron(np.eye(K), np.eye(p)) - np.kron(np.full((K, K), 1.0 / K), np.diag(free))
        inverse = kept @ inverse @ kept
    weight = problem.total
    covariance = (inverse - inverse @ (ridge[:, None] * inverse)) / weight
    phi = _dispersion(problem, objective, weight, size)
    jacobian = _to_columns(objective)
    covariance = phi * jacobian @ covariance @ jacobian.T
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0)).reshape(problem.K, -1)
    d = problem.data.d
    coef = errors[:, :d].reshape(np.shape(model.coef_))
    bias = errors[:, d] if problem.intercept else np.zeros(problem.K)
    return StandardErrors(coef, bias if np.ndim(model.intercept_) else float(bias[0]), covariance, phi)


def _information(objective: Any) -> ndarray:
    """Fisher's information with the penalty: curvatures are those of targets that are on average the fitted mean."""
    expected = objective.loss.expected(objective.Z[:, 0]) if objective.K == 1 else None
    if expected is None:
        return objective.hessian()
    weight = objective.row_weights() * expected
    H = objective.gram(lambda at: weight[at])
    H[np.diag_indices_from(H)] += objective.ridge[:, 0]
    return H


def _dispersion(problem: Any, objective: Any, weight: float, size: int) -> float:
    power = problem.loss.variance_power()
    if power is None:
        return 1.0
    s = objective.row_weights()
    mean = problem.loss.mean(objective.Z[:, 0])
    chi = float(objective.data.sum(np.array([np.sum(s * (problem.y - mean) ** 2 / mean**power)]))[0]) * weight
    return chi / max(weight - size, 1.0)


def _to_columns(objective: Any) -> ndarray:
    """The matrix from θ of one class to its (W, b), for every class."""
    d = objective.data.d
    J = np.zeros((objective.p, objective.p))
    J[:d, :d] = np.diag(1.0 / objective.design.scale)
    if objective.design.intercept:
        J[d, :d], J[d, d] = -objective.design.shift / objective.design.scale, 1.0
    return np.kron(np.eye(objective.K), J)
