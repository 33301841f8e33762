"""The contract that every recipe meets, as checks that run on any recipe, a user's own too."""

from gradwright.contract import (
    descent,
    effects,
    engines,
    gradients,
    knobs,
    promises,
    purity,
    rows,
    saving,
    scaling,
    schedules,
    state,
    tensors,
    traits,
)
from gradwright.contract.check import CHECKS, Check, Outcome, run_contract

__all__ = ["CHECKS", "Check", "Outcome", "run_contract"]
