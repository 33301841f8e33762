"""Methods for smooth functions: a line search, a trust region, and a portfolio of several."""

from gradwright.solvers.methods.line_search import LineSearch
from gradwright.solvers.methods.portfolio import Portfolio
from gradwright.solvers.methods.trust_region import TrustRegion

__all__ = ["LineSearch", "Portfolio", "TrustRegion"]
