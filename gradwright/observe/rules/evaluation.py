"""What goes wrong around evaluation: the mode, the weights, and what validation says."""

from __future__ import annotations

import math

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.record import Validation
from gradwright.observe.rules.rule import beyond, finding, rule
from gradwright.observe.run import Run, mean
from gradwright.observe.thresholds import Thresholds


@rule(Cause.EVAL_IN_TRAIN_MODE)
def in_train_mode(run: Run, limits: Thresholds) -> Finding | None:
    """The model was run for validation with dropout or batch statistics at work."""
    return _validated_wrongly(
        run,
        Cause.EVAL_IN_TRAIN_MODE,
        [each for each in run.record.validation if each.wrong_mode],
        "in training mode, and it has layers that differ by it",
        remedy="model.eval()   # before validation, and model.train() after it",
    )


@rule(Cause.WEIGHTS_NOT_IN_PLACE)
def weights_not_in_place(run: Run, limits: Thresholds) -> Finding | None:
    """The optimizer keeps other weights for evaluation, and the model was evaluated without them."""
    return _validated_wrongly(
        run,
        Cause.WEIGHTS_NOT_IN_PLACE,
        [each for each in run.record.validation if each.wrong_weights],
        "with the weights of training; the optimizer keeps others for evaluation",
        remedy="with optimizer.evaluating(): validate(model)   # or optimizer.eval() ... optimizer.train()",
    )


def _validated_wrongly(run: Run, cause: Cause, wrong: list[Validation], how: str, *, remedy: str) -> Finding | None:
    """At least half of the validations were made in a way that their numbers do not mean what they should."""
    told = run.record.validation
    if not wrong or len(wrong) < len(told) / 2:
        return None
    return finding(
        cause,
        Severity.WARNING,
        f"Before {len(wrong)} of {len(told)} validations the model was run {how}.",
        remedy,
        0.97,
        steps=(wrong[0].step, wrong[-1].step),
        validations=len(wrong),
    )


@rule(Cause.OVERFITTING)
def overfitting(run: Run, limits: Thresholds) -> Finding | None:
    """The validation loss has turned upwards while the training loss went on falling."""
    told = [each for each in run.record.validation if math.isfinite(each.value)]
    if len(told) < 4:
        return None
    best = min(range(len(told)), key=lambda at: told[at].value)
    tail = told[best + 1 :]
    last = mean(each.value for each in told[-max(1, len(told) // 6) :])
    rise, spread = last - told[best].value, _spread(told)
    if len(tail) < 2 or not last > limits.overfit * told[best].value or not rise > 3 * spread:
        return None
    before, after = told[max(0, best - 1)].training, mean(each.training for each in told[-2:])
    if not after < limits.overfit_training * before:
        return None
    ratio = last / told[best].value if told[best].value > 0 else math.inf
    return finding(
        Cause.OVERFITTING,
        Severity.WARNING,
        f"The validation loss rose from {told[best].value:.4g} at step {told[best].step} to {last:.4g}, while the "
        f"training loss fell from {before:.4g} to {after:.4g}.",
        f"stop at step {told[best].step}, or regularise: weight_decay, dropout, augmentation, more data",
        beyond(ratio, limits.overfit, 2.0),
        steps=(told[best].step, told[-1].step),
        ratio=ratio,
    )


def _spread(told: list[Validation]) -> float:
    """The noise of validation: half the median step from one to the next and back."""
    turns = sorted(abs(a.value - 2 * b.value + c.value) / 2 for a, b, c in zip(told, told[1:], told[2:]))
    return turns[len(turns) // 2] if turns else 0.0
