"""Exact checks of how the loop is put together: who holds what, what reaches it, what is cleared."""

from __future__ import annotations

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.record import ParameterProbe
from gradwright.observe.rules.rule import finding, listed, rule, span
from gradwright.observe.run import Run, mean
from gradwright.observe.thresholds import Thresholds


def _seen(run: Run, name: str) -> list[ParameterProbe]:
    return [window.parameters[name] for window in run.stepped if name in window.parameters]


@rule(Cause.NOT_HELD)
def not_held(run: Run, limits: Thresholds) -> Finding | None:
    """Trainable parameters of the model that no watched optimizer holds, and that nobody else moves."""
    loose = [name for name, held in run.record.parameters.items() if held.trainable and not held.optimizer]
    still = [name for name in loose if len(_seen(run, name)) >= 2 and not any(p.update > 0 for p in _seen(run, name))]
    if not still or len(run.stepped) < limits.windows:
        return None
    reached = [name for name in still if any(probe.gradient > 0 for probe in _seen(run, name))]
    share = sum(map(run.entries, still)) / sum(
        run.entries(n) for n, held in run.record.parameters.items() if held.in_model
    )
    evidence = f"{listed(still)}: {100 * share:.0f} % of the model's entries are in no optimizer and did not change"
    if not reached:
        return finding(
            Cause.NOT_HELD, Severity.NOTE, f"{evidence}; no gradient reaches them either.", _HOLD, 0.5, layers=still
        )
    evidence += f"; gradients reach {len(reached)} of these {len(still)} tensors and are not used."
    return finding(
        Cause.NOT_HELD,
        Severity.CRITICAL if share > 0.05 else Severity.WARNING,
        evidence,
        _HOLD,
        0.97,
        layers=still,
        steps=span(run.stepped),
        share=share,
    )


_HOLD = "optimizer = type(optimizer)(model.parameters(), ...)   # or requires_grad_(False) for those that shall stay"


@rule(Cause.STALE_PARAMETERS)
def stale(run: Run, limits: Thresholds) -> Finding | None:
    """Tensors that an optimizer holds, that are not the model's, and that no gradient reaches."""
    strange = [name for name, held in run.record.parameters.items() if held.optimizer and not held.in_model]
    gone = [name for name in strange if _seen(run, name) and all(probe.absent for probe in _seen(run, name))]
    if not gone or len(run.stepped) < limits.windows:
        return None
    return finding(
        Cause.STALE_PARAMETERS,
        Severity.CRITICAL,
        f"{listed(gone)}: {len(gone)} tensors of the optimizer are not the model's, and none ever had a gradient. "
        "A layer was replaced, or the model was copied, after the optimizer was made.",
        "make the optimizer last: optimizer = type(optimizer)(model.parameters(), ...)",
        0.98,
        layers=gone,
        steps=span(run.stepped),
        tensors=len(gone),
    )


@rule(Cause.NO_GRADIENT)
def no_gradient(run: Run, limits: Thresholds) -> Finding | None:
    """Parameters that are held and trainable, and whose gradient is missing or exactly zero at every watched step."""
    if len(run.stepped) < limits.windows:
        return None
    without = [name for name in run.trained if _never_reached(_seen(run, name))]
    if not without or len(without) == len(run.trained):
        return None
    missing = [name for name in without if all(probe.absent for probe in _seen(run, name))]
    dead = any(share > 0.99 for shares in run.layer_numbers(run.late, "dead").values() for share in shares)
    if not missing and dead:
        return None
    shown = missing or without
    how = "had no gradient" if missing else "had a gradient of exactly zero"
    return finding(
        Cause.NO_GRADIENT,
        Severity.WARNING,
        f"{listed(shown)} {how} at all {len(run.stepped)} watched steps: unused, detached, or behind torch.no_grad().",
        "remove .detach() or no_grad() on the way to them, or leave them out: p.requires_grad_(False)",
        0.97 if missing else 0.85,
        layers=shown,
        steps=span(run.stepped),
        tensors=len(shown),
    )


def _never_reached(probes: list[ParameterProbe]) -> bool:
    return bool(probes) and all(probe.absent or (probe.gradient == 0 and probe.zero == 1) for probe in probes)


@rule(Cause.NOT_CLEARED)
def not_cleared(run: Run, limits: Thresholds) -> Finding | None:
    """Each backward between two steps adds to what the last step has used."""
    told = [window for window in run.windows if window.cleared == window.cleared]
    share = mean(window.cleared for window in told)
    if len(told) < 3 or not share < limits.cleared:
        return None
    return finding(
        Cause.NOT_CLEARED,
        Severity.CRITICAL,
        f"At {100 * (1 - share):.0f} % of {len(told)} watched steps the backward pass added to the gradient that the "
        "last step had used.",
        "optimizer.zero_grad()   # once for each step, before its first backward",
        0.98,
        steps=span(told),
        cleared=share,
    )


@rule(Cause.SCALER_SKIPS)
def scaler_skips(run: Run, limits: Thresholds) -> Finding | None:
    """Steps are skipped long after the scale should have settled."""
    settled = [window for window in run.windows if window.step > 5]
    share = mean(float(window.skipped) for window in settled)
    overflows = any(run.broken(window) for window in settled if window.skipped) or bool(run.record.scale)
    if len(settled) < limits.windows or not share > limits.skipped or not overflows:
        return None
    scales = run.record.scale.values
    falling = f"; its scale went from {scales[0]:.3g} to {scales[-1]:.3g}" if scales else ""
    return finding(
        Cause.SCALER_SKIPS,
        Severity.CRITICAL,
        f"{100 * share:.0f} % of the steps after the fifth were skipped{falling}.",
        "scaler = torch.amp.GradScaler(init_scale=2.0**10)   # call scaler.update() each step; or use bfloat16",
        0.97,
        steps=span(settled),
        skipped=share,
    )
