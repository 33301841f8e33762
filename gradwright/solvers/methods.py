"""METHODS: what the names of ``minimize`` stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradwright.solvers.descents import BFGS, LBFGS, NewtonCG, NonlinearCG
from gradwright.solvers.in_turn import InTurn
from gradwright.solvers.lbfgsb import LBFGSB
from gradwright.solvers.line_search import LineSearch
from gradwright.solvers.method import Method
from gradwright.solvers.owlqn import OWLQN
from gradwright.solvers.searches import HagerZhang, Search, StrongWolfe
from gradwright.solvers.trust_region import TrustRegion


def _line_search(descent: Callable[..., Any], usual: Search = HagerZhang()) -> Callable[..., Method]:  # noqa: B008
    """A method whose options are those of the descent, and the search."""

    def make(search: Search | None = None, **options: Any) -> Method:
        return LineSearch(descent(**options), search or usual)

    make.settings = descent  # type: ignore[attr-defined]
    return make


METHODS: dict[str, Callable[..., Method]] = {
    "auto": InTurn,
    "newton-cg": _line_search(NewtonCG),
    "trust-ncg": TrustRegion,
    "bfgs": _line_search(BFGS),
    "l-bfgs": _line_search(LBFGS),
    "l-bfgs-b": LBFGSB,
    "owl-qn": OWLQN,
    "nonlinear-cg": _line_search(NonlinearCG, StrongWolfe(curvature=0.1)),
}
"""Makers of methods by name; their arguments are the options of ``minimize``."""
