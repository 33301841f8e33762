"""Searches: how far to go along a direction."""

from gradwright.solvers.searches.backtracking import Backtracking
from gradwright.solvers.searches.base import Search
from gradwright.solvers.searches.choice import SEARCHES, search_of
from gradwright.solvers.searches.hager_zhang import HagerZhang
from gradwright.solvers.searches.strong_wolfe import StrongWolfe

__all__ = ["SEARCHES", "Backtracking", "HagerZhang", "Search", "StrongWolfe", "search_of"]
