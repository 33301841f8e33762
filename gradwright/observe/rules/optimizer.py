"""What the update is made of: eps, rounding, weight decay, clipping."""

from __future__ import annotations

import math
from statistics import fmean

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.record import NAN, Window
from gradwright.observe.rules.rule import beyond, finding, listed, rule, span
from gradwright.observe.run import Run, known, mean, most, typical
from gradwright.observe.settings import scale_free
from gradwright.observe.thresholds import Thresholds

HALF = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


@rule(Cause.EPS_RULES)
def eps_rules(run: Run, limits: Thresholds) -> Finding | None:
    """Most entries have a root of the second moment below eps, from the beginning on, and in the last layers too.

    Where it is so in the first layers alone, their gradients vanish.
    """
    shares = [run.weighted(window, lambda probe: probe.eps) for window in run.stepped]
    share, first = typical(shares), typical(shares[: max(3, len(shares) // 4)])
    last = min(map(run.eps_share_of, list(run.trained)[-2:]), default=NAN)
    if len(known(shares)) < limits.windows or not min(share, first) > limits.eps or not last > limits.eps / 2:
        return None
    values = {group["eps"] for group in run.record.settings.values() if "eps" in group}
    size = typical(run.weighted(window, lambda probe: probe.gradient) for window in run.stepped)
    return finding(
        Cause.EPS_RULES,
        Severity.WARNING,
        f"For {100 * share:.0f} % of the entries the root of the second moment is below eps = "
        f"{listed([f'{value:g}' for value in sorted(values)])}; a gradient has the typical size {size:.2g}.",
        f"eps={min(1e-12, size * 1e-3):.0e}, or do not scale the loss down",
        beyond(share, limits.eps, 0.95),
        steps=span(run.stepped),
        share=share,
        gradient=size,
    )


@rule(Cause.LOST_TO_ROUNDING)
def lost_to_rounding(run: Run, limits: Thresholds) -> Finding | None:
    """Weights of a short type do not change although their gradient is not zero, and nothing keeps what is lost."""
    short = [name for name, held in run.trained.items() if held.dtype in HALF and held.weights == "plain"]
    share = mean(run.weighted(window, lambda probe: probe.lost, only=short.__contains__) for window in run.early)
    if not short or len(run.early) < limits.windows or not share > limits.lost or run.rates_are_zero:
        return None
    worst = sorted(short, key=lambda name: -mean(w.parameters[name].lost for w in run.early if name in w.parameters))
    return finding(
        Cause.LOST_TO_ROUNDING,
        Severity.WARNING,
        f"{100 * share:.0f} % of the weights with a gradient did not change in a step: in "
        f"{run.trained[short[0]].dtype} their spacing is wider than the step ({listed(worst)}).",
        "model.float() with torch.autocast(...), so that weights are float32 and only computing is short; or an "
        "optimizer of gradwright with weights='split24'",
        beyond(share, limits.lost, 0.9),
        layers=worst,
        steps=span(run.early),
        share=share,
    )


@rule(Cause.DECAY_RULES)
def decay_rules(run: Run, limits: Thresholds) -> Finding | None:
    """Weight decay makes most of the step, or a good part of it while the loss stands still."""
    share = typical(map(run.decay_share, run.stepped))
    stalled = run.drop < limits.stalled
    if len(run.stepped) < limits.windows or not share > (limits.decay_stalled if stalled else limits.decay):
        return None
    decays = sorted({group["weight_decay"] for group in run.record.settings.values() if group.get("weight_decay")})
    return finding(
        Cause.DECAY_RULES,
        Severity.WARNING,
        f"Weight decay ({listed([f'{value:g}' for value in decays])}) makes {100 * share:.0f} % of a typical step; the "
        f"loss fell by {100 * run.drop:.0f} %.",
        f"weight_decay={max(decays, default=1.0) * 0.05 / share:.0e}",
        beyond(share, limits.decay_stalled, 0.9),
        steps=span(run.stepped),
        share=share,
        drop=run.drop,
    )


@rule(Cause.CLIP_ALWAYS)
def clip_always(run: Run, limits: Thresholds) -> Finding | None:
    """The norm of the whole gradient is the same at every step, while those of its parts are not."""
    usable = [window for window in run.stepped if window.norm > 0 and math.isfinite(window.norm)]
    if len(usable) < 2 * limits.windows:
        return None
    norm = typical(window.norm for window in usable)
    same = [window for window in usable if abs(window.norm / norm - 1) < limits.clip_spread]
    if len(same) < limits.clip_share * len(usable) or not _parts_vary(run, same, limits):
        return None
    free = all(scale_free(held.optimizer) for held in run.trained.values())
    severity, add = (Severity.NOTE, "; this optimizer does not mind") if free else (Severity.WARNING, "")
    return finding(
        Cause.CLIP_ALWAYS,
        severity,
        f"The gradient's norm is {norm:.4g} at {len(same)} of {len(usable)} watched steps: a clip acts "
        f"on all of them{add}.",
        f"clip_grad_norm_(parameters, max_norm={30 * norm:.2g})   # above the typical norm without clipping",
        0.6 if free else 0.93,
        steps=span(usable),
        norm=norm,
        share=len(same) / len(usable),
    )


def _parts_vary(run: Run, windows: list[Window], limits: Thresholds) -> bool:
    """Whether the norm of some parameter varies by much more than the whole: where nothing moves, both stand still."""
    return most(_variation([w.parameters[n].gradient for w in windows if n in w.parameters]) for n in run.trained) > (
        10 * limits.clip_spread
    )


def _variation(values: list[float]) -> float:
    """Mean distance from the mean, by the mean."""
    values = known(values)
    centre = fmean(values) if values else 0.0
    return fmean(abs(value - centre) for value in values) / centre if centre > 0 else math.nan
