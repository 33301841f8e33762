"""Solvers for training loops: ``info = opt.step(closure)``, one outer iteration at a time."""

from gradwright.solvers.training.base import CurvatureOptimizer
from gradwright.solvers.training.hessian_free import HessianFree
from gradwright.solvers.training.info import StepInfo, StepStatus
from gradwright.solvers.training.lbfgs import LBFGS
from gradwright.solvers.training.newton_cg import NewtonCG

__all__ = ["LBFGS", "CurvatureOptimizer", "HessianFree", "NewtonCG", "StepInfo", "StepStatus"]
