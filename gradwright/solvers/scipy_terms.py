"""SciPy's terms: names of methods, options and forms of callbacks that its users bring, in those of this package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradwright.core.spelling import nearest
from gradwright.solvers.outcome.fields import IntermediateResult
from gradwright.solvers.outcome.trace import Callback, Iteration

MINIMIZE = {"cg": "nonlinear-cg", "slsqp": "sqp", "trust-constr": "sqp"}
"""SciPy's names of methods of ``minimize`` for what has another name here."""

LEAST_SQUARES = {"trf": "lm", "dogbox": "lm"}
"""The same for ``least_squares`` and ``curve_fit``: ``lm`` keeps bounds by itself."""

ROOT = {"hybr": "dogleg"}
"""The same for ``root``."""

_NO_DERIVATIVES = "it does without derivatives, which autograd gives here; leave method out, or use 'bfgs'"
_REGION = "use 'trust-ncg', a trust region too"
INSTEAD = {
    "nelder-mead": _NO_DERIVATIVES,
    "powell": _NO_DERIVATIVES,
    "cobyla": f"{_NO_DERIVATIVES}, with constraints 'sqp'",
    "cobyqa": f"{_NO_DERIVATIVES}, with constraints 'sqp'",
    "tnc": "use 'l-bfgs-b', which keeps bounds too",
    "dogleg": _REGION,
    "trust-exact": _REGION,
    "trust-krylov": _REGION,
    "krylov": "use 'lm'",
    "broyden1": "use 'lm'",
    "df-sane": "use 'lm'",
}
"""What to take in place of SciPy's methods that are not here."""

OPTIONS = {"maxfun": "maxfev", "maxcor": "memory"}
"""SciPy's names of options for what has another name here."""

_STEPS = "a small step or decrease is no sign of a solution; give gtol, or tol"
_DERIVATIVES = "derivatives come from autograd; leave it out"
REFUSED = {
    "ftol": _STEPS,
    "xtol": _STEPS,
    "xrtol": _STEPS,
    "barrier_tol": _STEPS,
    "eps": _DERIVATIVES,
    "finite_diff_rel_step": _DERIVATIVES,
    "norm": "gtol bounds the largest entry of the gradient; leave it out",
    "return_all": "result.trace has value and gradient of each iterate, and callback gets the points",
    "c1": 'give options={"search": StrongWolfe(decrease=..., curvature=...)}',
    "c2": 'give options={"search": StrongWolfe(decrease=..., curvature=...)}',
    "maxls": 'give options={"search": StrongWolfe(max_trials=...)}',
    "verbose": "disp prints the result",
    "iprint": "disp prints the result",
}
"""Options of SciPy that are not here, and why or what to give in their place."""


def method_name(name: str, known: Iterable[str], terms: Mapping[str, str]) -> str:
    """A method's name as it is known here, whatever its capitals, SciPy's names for it too.

    Args:
        name: what the user wrote.
        known: names of methods.
        terms: SciPy's names of some of them.

    Raises:
        ValueError: there is none of that name; with those that look alike, or what to take in its place.

    >>> method_name("L-BFGS-B", ["bfgs", "l-bfgs-b"], {}), method_name("SLSQP", ["sqp"], MINIMIZE)
    ('l-bfgs-b', 'sqp')
    """
    known, folded = list(known), name.casefold().replace("_", "-")
    folded = terms.get(folded, folded)
    if folded in known:
        return folded
    if folded in INSTEAD:
        raise ValueError(f"method={name!r} is SciPy's and not here: {INSTEAD[folded]}")
    every = f"known are {', '.join(known)}"
    close = nearest(name, [*known, *terms])
    raise ValueError(f"method={name!r} is unknown; {close + ' ' if close else ''}{every}, or give a method object")


def with_options(
    options: Mapping[str, Any] | None, limits: Mapping[str, Any], own: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Limits and tolerances out of ``options``, where SciPy's users write them, and what is left for the method.

    Args:
        options: as given.
        limits: arguments of the function that may stand in options, as they were given; None for those that were not.
        own: options of the method, which are its own whatever SciPy's are.

    Raises:
        ValueError: a setting is given in both places, or is one of SciPy's that would be ignored.
    """
    found, rest = dict(limits), {}
    for name, value in (options or {}).items():
        key = OPTIONS.get(name, name)
        if key in limits:
            if limits[key] is not None and value is not None:
                raise ValueError(f"{key}={limits[key]!r} is given, and {name!r} in options too; give it once")
            found[key] = value if value is not None else limits[key]
        elif name in REFUSED and name not in own:
            raise ValueError(f"options has {name!r}, which is SciPy's and not here: {REFUSED[name]}")
        else:
            rest[key] = value
    return found, rest


def one_of(first: str, one: Any, second: str, other: Any) -> Any:
    """The value of a setting that has two names.

    Raises:
        ValueError: both are given.
    """
    if one is not None and other is not None:
        raise ValueError(f"{first} and {second} are both given, and are two names of one thing; give one of them")
    return one if one is not None else other


def callback_of(callback: Callable[..., Any] | None) -> Callback | None:
    """A callback of any form as one of (x, iteration).

    ``callback(x, iteration)`` is called at the start and after every iteration; SciPy's forms ``callback(xk)`` and
    ``callback(intermediate_result)``, with just that name, after every iteration, as there. Each may raise
    StopIteration.

    Raises:
        TypeError: it cannot be called.
    """
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"callback is a {type(callback).__name__}; give a function of x, or leave it out")
    names = _required(callback)
    if names == ["intermediate_result"]:
        return _after_the_first(lambda x, nit, row: callback(intermediate_result=_told(x, nit, row)))
    return _after_the_first(lambda x, nit, row: callback(x)) if names and len(names) == 1 else callback


def _required(function: Callable[..., Any]) -> list[str] | None:
    """The names of the arguments that it must have; None where it takes any number, or cannot tell."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in found):
        return None
    return [each.name for each in found if each.default is each.empty and each.kind is not each.VAR_KEYWORD]


def _after_the_first(tell: Callable[[Any, int, Iteration], Any]) -> Callback:
    """Called with (x, iterations so far, iteration), and not at the start."""
    count = -1

    def callback(x: Any, row: Iteration) -> None:
        nonlocal count
        count += 1
        if count:
            tell(x, count, row)

    return callback


def _told(x: Any, nit: int, row: Iteration) -> IntermediateResult:
    return IntermediateResult(x, row.value, row.gradient, nit, row.nfev, row.nhev)
