"""The size of steps: a learning rate that is too high, too low, or taken away by its schedule."""

from __future__ import annotations

import math

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.rules.rule import beyond, finding, listed, rule, span
from gradwright.observe.run import Run, most
from gradwright.observe.thresholds import Thresholds


@rule(Cause.SCHEDULE)
def schedule(run: Run, limits: Thresholds) -> Finding | None:
    """The learning rate is next to nothing for much of the run, or goes up and down all the time."""
    for name, series in run.record.learning_rates.items():
        rates = series.values
        top = max(rates, default=0.0)
        if len(rates) < 20:
            continue
        told = _schedule_says(run, name, rates, top, limits)
        if told is not None:
            text, sure = told
            return finding(
                Cause.SCHEDULE,
                Severity.WARNING,
                f"{text} ({name}: largest {top:.3g}, mean {sum(rates) / len(rates):.3g}, last {rates[-1]:.3g}).",
                "call scheduler.step() as often as its lengths are meant: once an epoch, or lengths in batches",
                sure,
                steps=(1, run.record.steps),
                mean_share=sum(rates) / len(rates) / top if top else 0.0,
                none_share=sum(rate <= limits.no_rate * top for rate in rates) / len(rates),
            )
    return None


def _schedule_says(run: Run, name: str, rates: list[float], top: float, limits: Thresholds) -> tuple[str, float] | None:
    if top == 0:
        return "The learning rate is zero at every step", 0.98
    share = sum(rates) / len(rates) / top
    none = sum(rate <= limits.no_rate * top for rate in rates) / len(rates)
    if share < limits.mean_rate:
        return f"The mean learning rate is {100 * share:.1f} % of the largest", beyond(
            limits.mean_rate, share, 0.03
        ) if share else 0.95
    if none > limits.no_rate_share:
        return f"The learning rate is below 1 % of its largest value for {100 * none:.0f} % of the steps", 0.85
    cycles = _cycles(rates, top, limits.no_rate)
    if cycles >= limits.cycles:
        return f"The learning rate falls to nothing and rises again {cycles} times", 0.8
    begin = run.record.settings.get(name, {}).get("initial_lr", 0.0)
    if begin and top < limits.warmup * begin and rates[-1] >= 0.999 * top:
        return (
            f"The warm-up has not ended: the learning rate is {100 * top / begin:.0f} % of the one that was asked for",
            0.75,
        )
    return None


def _cycles(rates: list[float], top: float, nothing: float) -> int:
    """How often a learning rate of next to nothing rises, over several steps, to near its largest value again."""
    count, low, between = 0, False, 0
    for rate in rates:
        if rate <= max(nothing, 0.02) * top:
            low, between = True, 0
        elif low and rate >= 0.9 * top:
            count, low = count + (between > 1), False
        else:
            between += 1
    return count


@rule(Cause.LR_TOO_LOW)
def too_low(run: Run, limits: Thresholds) -> Finding | None:
    """Steps are a tiny part of the weights, and the loss has hardly fallen; nor could it, by its gradients."""
    update, foreseen = run.largest_update, run.foreseen
    if len(run.stepped) < limits.windows or len(run.losses) < 20 or run.broke_at is not None:
        return None
    if not update < limits.update_too_small or not foreseen < limits.foreseen or not run.drop < limits.drop_too_low:
        return None
    return finding(
        Cause.LR_TOO_LOW,
        Severity.WARNING,
        f"The largest step changed the weights by {update:.1e} of their size. By their gradients all "
        f"{run.record.steps} steps together could lower the loss by {100 * foreseen:.2g} %; it fell by "
        f"{100 * run.drop:.1f} %.",
        f"lr={_lr(run) * min(1000.0, 10 ** round(math.log10(1e-2 / max(update, 1e-6)))):.0e}",
        beyond(limits.foreseen, max(foreseen, 1e-9), limits.foreseen / 30),
        steps=span(run.stepped),
        largest_update=update,
        foreseen=foreseen,
        drop=run.drop,
    )


@rule(Cause.LR_TOO_HIGH)
def too_high(run: Run, limits: Thresholds) -> Finding | None:
    """A step was as large as the weights, and the run is worse for it: its loss, its units, its numbers."""
    update = most(map(run.update_of_first, run.stepped))
    outcome = _harm(run, limits)
    if not update > limits.update_too_large or outcome is None:
        return None
    return finding(
        Cause.LR_TOO_HIGH,
        Severity.CRITICAL,
        f"The largest step changed the weights by {100 * update:.0f} % of their size, and {outcome}.",
        f"lr={_lr(run) / max(10.0, 30 * update):.0e}",
        beyond(update, limits.update_too_large, 2.0),
        steps=span(run.stepped),
        largest_update=update,
        grew=run.grew,
    )


def _harm(run: Run, limits: Thresholds) -> str | None:
    if run.broke_at is not None:
        return f"something was not finite from step {run.broke_at} on"
    if run.grew > limits.grew:
        return f"the loss is {run.grew:.3g} times its first value"
    for what, word, limit in (("dead", "dead", limits.dead), ("saturated", "saturated", limits.saturated)):
        first = {name: shares[0] for name, shares in run.layer_numbers(run.windows[:1], what).items()}
        last = {name: shares[-1] for name, shares in run.layer_numbers(run.late, what).items()}
        lost = [name for name, share in last.items() if share > limit and not first.get(name, 0.0) > limit]
        if lost and (what == "dead" or run.drop < limits.stalled):
            return f"most units of {listed(lost)} became {word}"
    if run.peak > limits.peak:
        return f"the loss rose to {run.peak:.3g} times its first value"
    if run.drop < limits.stalled:
        return f"the loss fell by only {100 * run.drop:.0f} %"
    return None


def _lr(run: Run) -> float:
    return max((max(series.values, default=0.0) for series in run.record.learning_rates.values()), default=math.nan)
