"""What a run hands back: why it stopped, what it found, and how it got there."""

from gradwright.solvers.outcome.fields import Fields, IntermediateResult
from gradwright.solvers.outcome.result import Result
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback, Iteration, Trace

__all__ = ["Callback", "Fields", "IntermediateResult", "Iteration", "Result", "Status", "Trace"]
