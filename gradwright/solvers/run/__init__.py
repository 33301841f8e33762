"""What drives a run: a method, the monitor that judges its iterates, and what both keep and look for."""

from gradwright.solvers.run.method import Method
from gradwright.solvers.run.monitor import Monitor
from gradwright.solvers.run.unboundedness import UnboundednessTest

__all__ = ["Method", "Monitor", "UnboundednessTest"]
