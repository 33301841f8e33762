"""Quasi-Newton methods: the memory of pairs, and what it does inside a box and under an l1 penalty."""

from gradwright.solvers.quasi_newton.lbfgsb import LBFGSB
from gradwright.solvers.quasi_newton.memory import LBFGSMemory
from gradwright.solvers.quasi_newton.owlqn import OWLQN

__all__ = ["LBFGSB", "OWLQN", "LBFGSMemory"]
