"""Gradients on their way through the model: vanishing, exploding, not finite, noisy."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.record import Window
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
    """The first layers matter a tiny part of what the last ones do.

    By ‖g‖ ‖p‖ of matrices; it is the same at all depths where activations are homogeneous, and biases tell there, whose
    gradient is that of what a layer makes. A bias before a norm has none: its matrix then has to matter little as well.
    """
    windows = run.early or run.stepped
    matrices, vectors = _profile(run.sensitivity, windows), _profile(run.signals, windows)
    if len(windows) < limits.windows or len(matrices) < 4:
        return None
    ratio, begin = _first_to_last(matrices)
    through, _ = _first_to_last(vectors)
    little = most(matrices[name] for name in begin) < limits.vanishing * abs(run.first_loss)
    if little and 0 < through < ratio:
        ratio = through
    if not 0 < ratio < limits.vanishing:
        return None
    return finding(
        Cause.VANISHING_GRADIENTS,
        Severity.WARNING,
        f"The gradients of {listed(begin)} are, by the size of their weights, {ratio:.1e} of those of the last layers.",
        "use ReLU or GELU instead of bounded activations, a larger initialisation, normalisation, or residual paths",
        beyond(limits.vanishing, ratio, limits.vanishing / 1000),
        layers=begin,
        steps=span(windows),
        ratio=ratio,
    )


def _profile(sizes: Callable[[Window], dict[str, float]], windows: list[Window]) -> dict[str, float]:
    """Typical sizes by name."""
    found: dict[str, list[float]] = {}
    for window in windows:
        for name, size in sizes(window).items():
            found.setdefault(name, []).append(size)
    return {name: typical(values) for name, values in found.items()}


def _first_to_last(sizes: dict[str, float]) -> tuple[float, list[str]]:
    """The largest size of the first third over that of the last third, and the names of the first."""
    names = list(sizes)
    part = max(1, len(names) // 3)
    last = most(sizes[name] for name in names[-part:])
    return most(sizes[name] for name in names[:part]) / last if last > 0 else math.nan, names[:part]


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
