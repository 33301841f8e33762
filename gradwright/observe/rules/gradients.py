"""Gradients on their way through the model: vanishing, exploding, not finite, noisy."""

from __future__ import annotations

import math

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.rules.rule import beyond, finding, listed, rule, span
from gradwright.observe.run import Run, most, typical
from gradwright.observe.thresholds import Thresholds


@rule(Cause.EXPLODING_GRADIENTS)
def exploding(run: Run, limits: Thresholds) -> Finding | None:
    """The very first gradient is enormous: nothing has been trained wrong yet."""
    first = next((window for window in run.windows if window.norm > 0), None)
    if first is None or first.step > 3 or not first.norm > limits.exploding:
        return None
    sizes = {name: probe.gradient for name, probe in run.probes(first).items()}
    worst = sorted(sizes, key=lambda name: -sizes[name])
    return finding(
        Cause.EXPLODING_GRADIENTS,
        Severity.CRITICAL,
        f"The norm of the first gradient is {first.norm:.2e}, largest in {listed(worst)}.",
        "nn.init.kaiming_normal_(weight), a norm or a residual path in each block, or clip_grad_norm_(parameters, 1.0)",
        beyond(first.norm, limits.exploding, 30 * limits.exploding),
        layers=worst[:5],
        steps=(first.step, first.step),
        norm=first.norm,
    )


@rule(Cause.VANISHING_GRADIENTS)
def vanishing(run: Run, limits: Thresholds) -> Finding | None:
    """The sensitivity ‖g‖ ‖p‖ of the first matrices is a tiny part of that of the last ones."""
    profiles = [list(run.sensitivity(window).items()) for window in run.early or run.stepped]
    profiles = [profile for profile in profiles if len(profile) >= 4]
    if len(profiles) < limits.windows:
        return None
    names = [name for name, _ in profiles[0]]
    sizes = [typical(dict(profile).get(name, math.nan) for profile in profiles) for name in names]
    part = max(1, len(names) // 3)
    first, last = most(sizes[:part]), most(sizes[-part:])
    if not 0 < first < limits.vanishing * last:
        return None
    ratio = first / last
    return finding(
        Cause.VANISHING_GRADIENTS,
        Severity.WARNING,
        f"The gradients of {listed(names[:part])} are, by the size of their weights, {ratio:.1e} of those of "
        f"{listed(names[-part:])}.",
        "use ReLU or GELU instead of bounded activations, normalisation, or residual paths",
        beyond(limits.vanishing, ratio, limits.vanishing / 1000),
        layers=names[:part],
        steps=span(run.early),
        ratio=ratio,
    )


@rule(Cause.NON_FINITE)
def non_finite(run: Run, limits: Thresholds) -> Finding | None:
    """A value is not finite, and no large step led there."""
    step = run.broke_at
    if step is None:
        return None
    before = [window for window in run.stepped if window.step < step]
    window = next((window for window in run.windows if run.broken(window)), None)
    places = [] if window is None else [name for name, layer in window.layers.items() if layer.non_finite > 0]
    if window is not None and not places:
        places = [name for name, probe in window.parameters.items() if probe.non_finite > 0]
    update = most(map(run.relative_update, before))
    large = update > limits.update_broken
    where = f" first in {listed(places)}" if places else " in the loss"
    return finding(
        Cause.NON_FINITE,
        Severity.CRITICAL,
        f"From step {step} on values are not finite,{where}"
        + (f"; the steps before changed the weights by at most {100 * update:.2g} %." if before else "."),
        "torch.autograd.set_detect_anomaly(True) for one run; guard log, sqrt and division with a small constant",
        0.5 if large else 0.95,
        layers=places[:5],
        steps=(step, step),
        largest_update=update,
    )


@rule(Cause.BATCH_TOO_SMALL)
def batch_too_small(run: Run, limits: Thresholds) -> Finding | None:
    """A tiny batch whose gradient is mostly noise, under a loss that does not settle."""
    size = run.batch_size
    if not size <= limits.small_batch or len(run.windows) < 2 * limits.windows:
        return None
    signal = typical(window.alike for window in run.stepped)
    noise = (1 - signal) / max(signal, 1e-3)
    jitter = run.jitter
    if not noise > limits.noise or not jitter > limits.jitter:
        return None
    return finding(
        Cause.BATCH_TOO_SMALL,
        Severity.WARNING,
        f"With {size:.0f} samples in a batch the gradient's noise is {noise:.0f} times its mean; the loss jumps by "
        f"{100 * jitter:.0f} % from step to step.",
        f"batch_size={int(size * min(64, noise))}, or accumulate gradients over more batches",
        beyond(noise, limits.noise, 10 * limits.noise),
        steps=span(run.stepped),
        noise=noise,
        size=size,
        jitter=jitter,
    )
