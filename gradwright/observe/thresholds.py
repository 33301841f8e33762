"""Every number that a rule compares with, in one table, with what healthy runs reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Limits of the diagnosis. All are free of units: shares, ratios, counts of steps.

    Healthy extremes in comments are of the healthy runs of ``benchmarks/sick_runs.py`` that set these numbers.
    """

    windows: int = 4
    """Fewer watched steps than these say nothing."""

    skipped: float = 0.5
    """Share of skipped steps, the first few left out, during which a scaler finds its scale."""
    cleared: float = 0.5
    eps: float = 0.5
    lost: float = 0.3
    decay: float = 0.5
    decay_stalled: float = 0.2
    stalled: float = 0.1
    """A loss that fell by less of itself has stalled."""
    clip_spread: float = 1e-3
    clip_share: float = 0.95
    mean_rate: float = 0.1
    """Mean learning rate over the largest."""
    no_rate: float = 0.01
    """A learning rate below this share of the largest is none."""
    no_rate_share: float = 0.35
    cycles: int = 3
    warmup: float = 0.5
    update_too_small: float = 3e-3
    foreseen: float = 0.15
    update_too_large: float = 0.5
    drop_too_low: float = 0.35
    grew: float = 1.5
    peak: float = 10.0
    exploding: float = 1e3
    vanishing: float = 1e-3
    dead: float = 0.8
    saturated: float = 0.3
    inputs: float = 5.0
    inputs_small: float = 0.02
    initial: float = 2.0
    noise_rank: float = 0.34
    noise_unmoved: float = 0.75
    noise_both: float = 1.1
    """Both of the former together, each over its limit."""
    kept: float = 0.3
    """A mean gradient that keeps more of its first direction is still learning."""
    noise_wrong: float = 0.1
    imbalance: float = 15.0
    alike: float = 0.3
    small_batch: float = 8.0
    jitter: float = 0.3
    update_broken: float = 0.3
    noise: float = 10.0
    overfit: float = 1.1
    overfit_training: float = 0.9


LIMITS = Thresholds()
"""The thresholds that hold where none are given."""
