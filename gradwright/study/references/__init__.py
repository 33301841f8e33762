"""References: what a tuned AdamW reaches on the tasks of the suite, and how far others stay behind untuned."""

from gradwright.study.references.language import Excess, excess
from gradwright.study.references.margin import Margin, margins
from gradwright.study.references.outcome import Outcome, outcomes
from gradwright.study.references.profile import Profile, profiles
from gradwright.study.references.regret import Regret, regrets, regrets_of
from gradwright.study.references.table import Cell, Reference, reference

__all__ = [
    "Cell",
    "Excess",
    "Margin",
    "Outcome",
    "Profile",
    "Reference",
    "Regret",
    "excess",
    "margins",
    "outcomes",
    "profiles",
    "reference",
    "regrets",
    "regrets_of",
]
