"""Many small problems at once, each with its own convergence."""

from gradwright.solvers.batched.minimize import minimize_batch
from gradwright.solvers.batched.result import BatchResult

__all__ = ["BatchResult", "minimize_batch"]
