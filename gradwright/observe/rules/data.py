"""The data: inputs, labels, classes, their order, and the loss before anything was learned."""

from __future__ import annotations

import math

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.forward import INPUT
from gradwright.observe.record import BatchProbe
from gradwright.observe.rules.rule import beyond, finding, listed, rule, span
from gradwright.observe.run import Run, mean, typical
from gradwright.observe.thresholds import Thresholds


@rule(Cause.INPUTS_NOT_SCALED)
def inputs_not_scaled(run: Run, limits: Thresholds) -> Finding | None:
    """The first layers read data that are far from unit size."""
    reading = {
        name: typical(window.layers[name].inputs for window in run.early if name in window.layers)
        for name in dict.fromkeys(n for w in run.early for n, layer in w.layers.items() if layer.reads_data)
    }
    inner = {name: size for name, size in reading.items() if name != INPUT}
    sizes = inner or ({} if run.record.activations else reading)
    large = {name: size for name, size in sizes.items() if size > limits.inputs or 0 < size < limits.inputs_small}
    if not large:
        return None
    size = max(large.values(), key=lambda value: abs(math.log(value)))
    return finding(
        Cause.INPUTS_NOT_SCALED,
        Severity.WARNING,
        f"The inputs of {listed(list(large))} have the size {size:.3g} (root mean square); about 1 is expected.",
        "inputs = (inputs - mean) / std   # of the training set, feature by feature",
        beyond(size, limits.inputs, 50.0) if size > 1 else beyond(limits.inputs_small, size, 1e-4),
        layers=list(large),
        steps=span(run.early),
        size=size,
    )


@rule(Cause.WRONG_INITIAL_LOSS)
def wrong_initial_loss(run: Run, limits: Thresholds) -> Finding | None:
    """The cross-entropy of the outputs at the first step is far above ln K."""
    first = next((w for w in run.windows[:1] if w.batch is not None and w.step <= 2), None)
    if first is None or first.batch is None:
        return None
    chance = math.log(first.batch.classes)
    ratio = first.batch.cross_entropy / chance
    if not ratio > limits.initial:
        return None
    return finding(
        Cause.WRONG_INITIAL_LOSS,
        Severity.WARNING,
        f"The first cross-entropy is {first.batch.cross_entropy:.3g}; a uniform guess among {first.batch.classes} "
        f"classes has ln K = {chance:.3g}.",
        "nn.init.zeros_(head.weight); nn.init.zeros_(head.bias)   # or a small standard deviation",
        beyond(ratio, limits.initial, 8.0),
        steps=(first.step, first.step),
        ratio=ratio,
    )


@rule(Cause.LABEL_NOISE)
def label_noise(run: Run, limits: Thresholds) -> Finding | None:
    """A model that has learned something disagrees with labels where it is sure, and they are not its second choice.

    What is hard for a model it knows to be hard: it errs where it is unsure, and mostly by its second choice. A label
    drawn at random is wrong wherever it falls, and as likely the model's last choice as its second.
    """
    if run.record.data.tokens:
        return None
    told = [_disagreement(run.batches(part), limits) for part in run.thirds]
    last = next((found for found in reversed(told) if found is not None), None)
    still_learning = bool(told) and told[-1] is not None and typical(w.kept for w in run.late) > limits.kept
    if last is None or still_learning:
        return None
    wrong, unmoved, rank = last
    by_chance, by_place = unmoved / limits.noise_unmoved, rank / limits.noise_rank
    if not min(by_chance, by_place) > 1 or not by_chance * by_place > limits.noise_both:
        return None
    return finding(
        Cause.LABEL_NOISE,
        Severity.WARNING,
        f"The model disagrees with {100 * wrong:.0f} % of the labels. Where it is sure it is {unmoved:.2f} times "
        f"that, and the label's mean place among the other classes {rank:.2f} (0: second choice, 0.5: by chance).",
        "a robust loss or label smoothing, or relabel the samples on which a trained model disagrees surely",
        beyond(by_chance * by_place, limits.noise_both, 1.5),
        steps=span(run.stepped),
        disagreement=wrong,
        rank=rank,
    )


def _disagreement(batches: list[BatchProbe], limits: Thresholds) -> tuple[float, float, float] | None:
    """The share of labels that the model disagrees with, by what that grows where it is sure, and their rank there."""
    batches = [batch for batch in batches if math.isfinite(batch.cross_entropy) and batch.classes >= 4]
    wrong = mean(1 - batch.accuracy for batch in batches)
    seen = sum(batch.size * (1 - batch.sure_accuracy) / 2 for batch in batches)
    if not batches or not limits.noise_wrong < wrong < 1 - max(0.3, 3 / batches[0].classes) or seen < 20:
        return None
    return wrong, mean(1 - batch.sure_accuracy for batch in batches) / wrong, mean(batch.sure_rank for batch in batches)


@rule(Cause.LONG_TAIL)
def long_tail(run: Run, limits: Thresholds) -> Finding | None:
    """The most frequent class has many times the samples of the rarest, beyond what chance does."""
    data = run.record.data
    if len(data.counts) < 2 or data.tokens or sum(data.counts) < 10 * len(data.counts):
        return None
    high, low = max(data.counts), min(data.counts)
    ratio = (high - 2 * math.sqrt(high)) / (low + 2 * math.sqrt(low) + 1)
    if not ratio > limits.imbalance:
        return None
    rare = [at for at, count in enumerate(data.counts) if count < high / limits.imbalance]
    return finding(
        Cause.LONG_TAIL,
        Severity.WARNING,
        f"The most frequent class has {high:.0f} of the samples seen, the rarest {low:.0f}; {len(rare)} of "
        f"{len(data.counts)} classes have less than a fifteenth of the first.",
        "a balanced loss of gradwright.losses, or sampling by class",
        beyond(ratio, limits.imbalance, 10 * limits.imbalance),
        steps=span(run.windows),
        ratio=high / max(low, 1.0),
    )


@rule(Cause.NOT_SHUFFLED)
def not_shuffled(run: Run, limits: Thresholds) -> Finding | None:
    """Samples of a batch are alike, by their targets or else by their inputs."""
    data = run.record.data
    alike, what = (data.alike, "targets") if not math.isnan(data.alike) else (data.features_alike, "inputs")
    if data.tokens or not alike > limits.alike or not run.batch_size >= 4:
        return None
    return finding(
        Cause.NOT_SHUFFLED,
        Severity.WARNING,
        f"The {what} of samples in the same batch have the correlation {alike:.2f}; shuffled data have 0.",
        "DataLoader(dataset, batch_size, shuffle=True)",
        beyond(alike, limits.alike, 0.9),
        steps=span(run.windows),
        alike=alike,
    )
