"""References: what a tuned AdamW reaches on the tasks of the suite, and how far others stay behind untuned."""

from gradwright.study.references.regret import Regret, regrets
from gradwright.study.references.table import Cell, Reference, reference

__all__ = ["Cell", "Reference", "Regret", "reference", "regrets"]
