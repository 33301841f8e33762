"""METHODS: what the names of ``minimize`` stand for, and which one a problem gets that asks for none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from typing import Any

from gradwright.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from gradwright.solvers.constrained.constrainable import Constrainable
from gradwright.solvers.constrained.constraint import Constraint
from gradwright.solvers.constrained.sqp import SQP
from gradwright.solvers.descents import BFGS, LBFGS, NewtonCG, NonlinearCG
from gradwright.solvers.methods.line_search import LineSearch
from gradwright.solvers.methods.portfolio import Portfolio
from gradwright.solvers.methods.trust_region import TrustRegion
from gradwright.solvers.quasi_newton.lbfgsb import LBFGSB
from gradwright.solvers.quasi_newton.owlqn import OWLQN
from gradwright.solvers.run.method import Method
from gradwright.solvers.scipy_terms import MINIMIZE, method_name
from gradwright.solvers.searches import HagerZhang, Search, StrongWolfe, search_of

DENSE = 1000
"""Unknowns up to which constraints are left to SQP, which forms (n, n) matrices."""


def _line_search(descent: Callable[..., Any], usual: Search = HagerZhang()) -> Callable[..., Method]:  # noqa: B008
    """A method whose options are those of the descent, and the search."""

    def make(search: str | Search | None = None, **options: Any) -> Method:
        return LineSearch(descent(**options), usual if search is None else search_of(search))

    make.settings = descent  # type: ignore[attr-defined]
    return make


METHODS: dict[str, Callable[..., Method]] = {
    "auto": Portfolio,
    "newton-cg": _line_search(NewtonCG),
    "trust-ncg": TrustRegion,
    "bfgs": _line_search(BFGS),
    "l-bfgs": _line_search(LBFGS),
    "l-bfgs-b": LBFGSB,
    "owl-qn": OWLQN,
    "nonlinear-cg": _line_search(NonlinearCG, StrongWolfe(curvature=0.1)),
    "sqp": SQP,
    "augmented-lagrangian": AugmentedLagrangian,
}
"""Makers of methods by name; their arguments are the options of ``minimize``."""


def known_name(method: Any) -> Any:
    """The name of a method as it stands in ``METHODS``; a :class:`Method` and None stay.

    Raises:
        ValueError: an unknown name.
        TypeError: something else.
    """
    if isinstance(method, str):
        return method_name(method, METHODS, MINIMIZE)
    if method is None or isinstance(method, Method):
        return method
    hint = "; give args=... by name" if isinstance(method, tuple) else ""
    raise TypeError(f"method is a {type(method).__name__}; give a name out of METHODS, or a Method{hint}")


def method_of(
    method: str | Method | None,
    options: Mapping[str, Any] | None,
    constraints: tuple[Constraint, ...],
    bounded: bool,
    size: int,
) -> Method:
    """The method that ``minimize``'s ``method`` asks for, with its options and the constraints.

    None stands for ``sqp`` with constraints (``augmented-lagrangian`` above 1,000 unknowns, where an (n, n) matrix is
    too much), for ``l-bfgs-b`` with bounds alone, and for ``auto`` otherwise.

    Raises:
        ValueError: an unknown name or option; constraints or bounds that the method would ignore.
    """
    if isinstance(method, Method):
        if options:
            raise ValueError(f"options={dict(options)} beside a {type(method).__name__}; set its fields instead")
        chosen = method
    else:
        chosen = _named(known_name(method) or _usual(bool(constraints), bounded, size), options)
    if bounded and not chosen.takes_bounds:
        raise ValueError(f"{_shown(method)} does not keep bounds; use one that does: {_able('takes_bounds')}")
    if not constraints:
        return chosen
    if not isinstance(chosen, Constrainable):
        raise ValueError(f"{_shown(method)} does not take constraints; use one that does: {_able('takes_constraints')}")
    if chosen.constraints:
        raise ValueError("constraints are given both to minimize and to the method; give them once")
    return replace(chosen, constraints=constraints)


def _usual(constrained: bool, bounded: bool, size: int) -> str:
    if constrained:
        return "sqp" if size <= DENSE else "augmented-lagrangian"
    return "l-bfgs-b" if bounded else "auto"


def options_of(name: str) -> set[str]:
    """The options of a method."""
    maker = METHODS[name]
    known = {*signature(maker).parameters, *signature(getattr(maker, "settings", maker)).parameters}
    return known - {"options", "constraints"}


def _named(name: str, options: Mapping[str, Any] | None) -> Method:
    maker, known = METHODS[name], options_of(name)
    unknown = [key for key in options or {} if key not in known]
    if unknown:
        raise ValueError(f"{name} has no option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
    return maker(**(options or {}))


def _shown(method: Any) -> str:
    return f"method={method!r}" if isinstance(method, str) else type(method).__name__


def _able(attribute: str) -> str:
    """The names whose methods have it."""
    return ", ".join(name for name, maker in METHODS.items() if getattr(maker, attribute, False))
