"""How a chain is executed. Engines know transforms only through ``gradwright.core``."""

from gradwright.engine.driver import settle
from gradwright.engine.fused import Fused
from gradwright.engine.gpu_crew import capturing
from gradwright.engine.job import Job, Progress, Share

__all__ = ["Fused", "Job", "Progress", "Share", "capturing", "settle"]
