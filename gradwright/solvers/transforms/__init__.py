"""Solver steps as stateless transforms that take value_fn, grad_fn and hvp as named extra arguments of ``update``."""

from gradwright.solvers.transforms.base import ExtraArgsTransform, chain
from gradwright.solvers.transforms.hessian_free import scale_by_hessian_free
from gradwright.solvers.transforms.lbfgs import cautious_lbfgs
from gradwright.solvers.transforms.line_search import scale_by_hager_zhang
from gradwright.solvers.transforms.newton import scale_by_newton_cg, scale_by_steihaug

__all__ = [
    "ExtraArgsTransform",
    "cautious_lbfgs",
    "chain",
    "scale_by_hager_zhang",
    "scale_by_hessian_free",
    "scale_by_newton_cg",
    "scale_by_steihaug",
]
