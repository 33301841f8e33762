"""Estimators: scikit-learn's interface to the solvers."""

from gradwright.linear_model.estimators.base import LinearModel
from gradwright.linear_model.estimators.cross_validation import LogisticRegressionCV
from gradwright.linear_model.estimators.huber import HuberRegressor
from gradwright.linear_model.estimators.logistic_regression import LogisticRegression
from gradwright.linear_model.estimators.path import Path, regularization_path
from gradwright.linear_model.estimators.regression import (
    ElasticNet,
    GammaRegressor,
    GeneralizedLinearModel,
    Lasso,
    LeastAbsoluteDeviations,
    PoissonRegressor,
    Ridge,
)
from gradwright.linear_model.estimators.svm import LinearSVC, LinearSVR
