"""Solvers for training loops: ``info = opt.step(closure)``, one outer iteration at a time."""

from gradwright.solvers.optimizers.base import CurvatureOptimizer
from gradwright.solvers.optimizers.hessian_free import HessianFree
from gradwright.solvers.optimizers.info import StepInfo, StepStatus
from gradwright.solvers.optimizers.lbfgs import LBFGS
from gradwright.solvers.optimizers.newton_cg import NewtonCG

__all__ = ["LBFGS", "CurvatureOptimizer", "HessianFree", "NewtonCG", "StepInfo", "StepStatus"]
