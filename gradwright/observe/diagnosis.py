"""From a record to findings: all rules, what follows from what, and the order."""

from __future__ import annotations

from dataclasses import replace

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.record import Record
from gradwright.observe.rules import RULES
from gradwright.observe.run import Run
from gradwright.observe.thresholds import LIMITS, Thresholds

EXACT = frozenset(
    {
        Cause.STALE_PARAMETERS,
        Cause.NOT_HELD,
        Cause.NO_GRADIENT,
        Cause.NOT_CLEARED,
        Cause.SCALER_SKIPS,
        Cause.EVAL_IN_TRAIN_MODE,
        Cause.WEIGHTS_NOT_IN_PLACE,
    }
)
"""What is seen, not inferred: these come first."""

FOLLOWS: dict[Cause, frozenset[Cause]] = {
    Cause.STALE_PARAMETERS: frozenset({Cause.NOT_HELD, Cause.LR_TOO_LOW}),
    Cause.NOT_HELD: frozenset({Cause.LR_TOO_LOW, Cause.BATCH_TOO_SMALL}),
    Cause.NO_GRADIENT: frozenset({Cause.LR_TOO_LOW}),
    Cause.NOT_CLEARED: frozenset({Cause.LR_TOO_HIGH, Cause.DEAD_UNITS, Cause.NON_FINITE, Cause.SATURATED_UNITS}),
    Cause.SCALER_SKIPS: frozenset({Cause.NON_FINITE, Cause.EXPLODING_GRADIENTS, Cause.LR_TOO_LOW}),
    Cause.INPUTS_NOT_SCALED: frozenset(
        {
            Cause.EXPLODING_GRADIENTS,
            Cause.WRONG_INITIAL_LOSS,
            Cause.SATURATED_UNITS,
            Cause.DEAD_UNITS,
            Cause.LR_TOO_HIGH,
            Cause.LR_TOO_LOW,
            Cause.VANISHING_GRADIENTS,
        }
    ),
    Cause.EXPLODING_GRADIENTS: frozenset(
        {Cause.WRONG_INITIAL_LOSS, Cause.LR_TOO_HIGH, Cause.DEAD_UNITS, Cause.NON_FINITE, Cause.LR_TOO_LOW}
    ),
    Cause.LOST_TO_ROUNDING: frozenset({Cause.LR_TOO_LOW}),
    Cause.EPS_RULES: frozenset({Cause.LR_TOO_LOW, Cause.VANISHING_GRADIENTS, Cause.DECAY_RULES}),
    Cause.SCHEDULE: frozenset({Cause.LR_TOO_LOW, Cause.LOST_TO_ROUNDING}),
    Cause.CLIP_ALWAYS: frozenset({Cause.LR_TOO_LOW}),
    Cause.LR_TOO_HIGH: frozenset({Cause.NON_FINITE, Cause.DEAD_UNITS, Cause.DECAY_RULES, Cause.OVERFITTING}),
    Cause.SATURATED_UNITS: frozenset({Cause.VANISHING_GRADIENTS, Cause.LR_TOO_LOW}),
    Cause.VANISHING_GRADIENTS: frozenset({Cause.LR_TOO_LOW, Cause.DECAY_RULES}),
    Cause.DEAD_UNITS: frozenset({Cause.DECAY_RULES, Cause.LR_TOO_LOW}),
    Cause.LABEL_NOISE: frozenset({Cause.OVERFITTING}),
    Cause.LONG_TAIL: frozenset({Cause.LABEL_NOISE}),
    Cause.NOT_SHUFFLED: frozenset({Cause.LABEL_NOISE, Cause.OVERFITTING, Cause.LR_TOO_HIGH, Cause.BATCH_TOO_SMALL}),
}
"""What may follow from a cause: named after it, and as a note."""


def diagnose(record: Record, limits: Thresholds = LIMITS) -> list[Finding]:
    """What is wrong with a run: exact checks first, then by how sure each is; consequences of another cause last.

    Args:
        record: of the run, as ``Watch.record()`` gives it.
        limits: the thresholds of all rules.

    Returns:
        The findings; empty where nothing is wrong.
    """
    run = Run(record)
    found = {cause: finding for cause, rule in RULES.items() if (finding := rule(run, limits)) is not None}
    implied = {effect for cause in found for effect in FOLLOWS.get(cause, ()) if effect in found}
    told = [_as_consequence(finding) if cause in implied else finding for cause, finding in found.items()]
    return sorted(told, key=lambda finding: (finding.cause in implied, finding.cause not in EXACT, -finding.confidence))


def _as_consequence(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.NOTE, confidence=round(finding.confidence / 2, 2))
