"""What layers make: dead and saturated units."""

from __future__ import annotations

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.rules.rule import beyond, finding, listed, rule, span
from gradwright.observe.run import Run, typical
from gradwright.observe.thresholds import Thresholds


@rule(Cause.DEAD_UNITS)
def dead_units(run: Run, limits: Thresholds) -> Finding | None:
    """Most units of a layer have been zero for every sample for a while."""
    shares = {name: typical(values[-3:]) for name, values in run.layer_numbers(run.windows, "dead").items()}
    dead = [name for name, share in shares.items() if share > limits.dead]
    if not dead:
        return None
    worst = max(shares[name] for name in dead)
    return finding(
        Cause.DEAD_UNITS,
        Severity.WARNING,
        f"{100 * worst:.0f} % of the units of {listed(dead)} have been zero for every sample.",
        "lower lr, initialise biases at 0, or use nn.LeakyReLU or nn.GELU",
        beyond(worst, limits.dead, 0.97),
        layers=dead,
        steps=span(run.windows),
        share=worst,
    )


@rule(Cause.SATURATED_UNITS)
def saturated_units(run: Run, limits: Thresholds) -> Finding | None:
    """Most entries of a bounded activation are near an end, from the beginning on."""
    shares = {name: typical(values) for name, values in run.layer_numbers(run.windows[:1], "saturated").items()}
    inner = {name: share for name, share in shares.items() if name not in run.last_layers}
    flat = [name for name, share in inner.items() if share > limits.saturated]
    if not flat:
        return None
    worst = max(inner[name] for name in flat)
    return finding(
        Cause.SATURATED_UNITS,
        Severity.WARNING,
        f"{100 * worst:.0f} % of what {listed(flat)} makes lies at the ends of its range, where its slope is nothing.",
        "nn.init.xavier_uniform_(weight), scale the inputs, or put a norm before the activation",
        beyond(worst, limits.saturated, 0.9),
        layers=flat,
        steps=span(run.windows[:1]),
        share=worst,
    )
