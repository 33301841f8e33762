"""How a chain is executed. Engines know transforms only through ``gradwright.core``."""

from gradwright.engine.driver import settle
from gradwright.engine.job import Job

__all__ = ["Job", "settle"]
