"""Arguments: those of scikit-learn's estimators that have no meaning here are refused with what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from gradwright.core.spelling import nearest

C = TypeVar("C", bound=type)

_CHOSEN = "the problem decides how it is solved, and result_ proves how close to the optimum the fit is; leave it out"
_ALWAYS = "the intercept is free and never penalised, fit_intercept=False leaves it out"
WAYS = {
    "penalty": "give l1_ratio=1.0 for 'l1', l1_ratio between 0 and 1 for 'elasticnet', C=float('inf') or alpha=0.0 for "
    "none; 'l2' is the default",
    "solver": _CHOSEN,
    "dual": _CHOSEN,
    "selection": _CHOSEN,
    "precompute": _CHOSEN,
    "random_state": "nothing is drawn at random; leave it out",
    "n_jobs": "a fit uses as many threads as torch.set_num_threads says; leave it out",
    "verbose": "give callback=print, which is called with every iteration",
    "positive": "coefficients may have either sign; gradwright.solvers.least_squares(bounds=(0.0, None)), or "
    "sklearn.linear_model, keeps them at least 0",
    "copy_X": "X is never written to; leave it out",
    "normalize": "put sklearn.preprocessing.StandardScaler before it",
    "intercept_scaling": _ALWAYS,
    "n_alphas": "give Cs, a number of values or the values",
    "alphas": "give Cs, a number of values or the values",
    "multi_class": "each class is fitted against the rest; leave it out",
    "use_legacy_attributes": "attributes have one form, which the docstring describes; leave it out",
    "n_iter_no_change": "tol bounds how far from the optimum a fit may end; leave it out",
    "early_stopping": "tol bounds how far from the optimum a fit may end; leave it out",
}
"""scikit-learn's arguments that no estimator here has, and the way out."""

ELSEWHERE = {"alpha": "C", "C": "alpha", "l1_ratios": "l1_ratio", "l1_ratio": "l1_ratios", "epsilon": "delta"}
"""What an argument may be called in another estimator here."""


def way_out(name: str, known: Iterable[str]) -> str:
    """What to write in place of an argument that there is none of.

    >>> way_out("random_state", ["C"]), way_out("Alpha", ["alpha"])
    ('nothing is drawn at random; leave it out', "did you mean 'alpha'?")
    """
    known = list(known)
    close = nearest(name, known)
    if close and name not in WAYS:
        return close
    if name in WAYS:
        return WAYS[name]
    if ELSEWHERE.get(name) in known:
        return f"here it is {ELSEWHERE[name]!r}"
    return "it has " + ", ".join(known)


def estimator(cls: C) -> C:
    """A class whose constructor refuses arguments that it does not have with the way out."""
    plain = cls.__init__  # type: ignore[misc]
    known = [name for name in signature(plain).parameters if name != "self"]

    @wraps(plain)
    def checked(self: Any, *args: Any, **settings: Any) -> None:
        for name in settings:
            if name not in known:
                raise TypeError(f"{cls.__name__} has no argument {name!r}: {way_out(name, known)}")
        plain(self, *args, **settings)

    cls.__init__ = checked  # type: ignore[misc]
    return cls
