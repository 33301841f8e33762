"""Linear models that are fitted to a proven optimum, with scikit-learn's interface. Needs scikit-learn and SciPy."""

try:
    import scipy
    import sklearn
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f'gradwright.linear_model needs {missing.name}: pip install "gradwright[study]"', name=missing.name
    ) from None

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.diagnosis import Diagnosis, diagnose
from gradwright.linear_model.estimators import (
    ElasticNet,
    GammaRegressor,
    GeneralizedLinearModel,
    HuberRegressor,
    Lasso,
    LeastAbsoluteDeviations,
    LinearModel,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    LogisticRegressionCV,
    Path,
    PoissonRegressor,
    Ridge,
    regularization_path,
)

# the method and the function beside it are one
LinearModel._diagnose = staticmethod(diagnose)

__all__ = [
    "Diagnosis",
    "ElasticNet",
    "FitResult",
    "GammaRegressor",
    "GeneralizedLinearModel",
    "HuberRegressor",
    "Lasso",
    "LeastAbsoluteDeviations",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Path",
    "PoissonRegressor",
    "Record",
    "Ridge",
    "Status",
    "diagnose",
    "regularization_path",
]
