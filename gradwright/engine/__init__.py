"""How a chain is executed. Engines know transforms only through ``gradwright.core``."""

from gradwright.engine.capture import capturing
from gradwright.engine.dispatch import Dispatcher
from gradwright.engine.run import run
from gradwright.engine.step import GroupStep, TensorStep

__all__ = ["Dispatcher", "GroupStep", "TensorStep", "capturing", "run"]
