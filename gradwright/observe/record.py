"""The record of a run: what the probes measured, in plain numbers on the host. Rules and pages read nothing else.

A number that was not measured, or has no meaning, is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from gradwright.observe.series import Series

NAN = math.nan


@dataclass(frozen=True)
class ParameterProbe:
    """One parameter in one watched step. Every mean is over its n entries, or over an even sample of them.

    Attributes:
        weight: rms(p) before the step.
        gradient: rms(g), as the optimizer saw it: unscaled and clipped.
        update: rms(Δ), Δ = p after − p before.
        relative_update: rms(Δ) / rms(p); where p began as zero, by the larger of rms(p) and rms(p after).
        slope: Σ g Δ, the change of the loss that the gradient foretells for this step.
        largest: max |g|.
        zero: share of entries whose gradient is zero.
        non_finite: count of entries of gradient and weight that are not finite.
        lost: share of the entries with a gradient whose stored weight did not change.
        eps: share of the entries with v > 0 whose √v̂ lies below eps.
        decay: rms(weight decay's part of the step) / rms(Δ), at most 1.
        turn: cosine of Δ and the Δ of the watched step before.
        alike: cosine of g and the gradient of the step before, where that was watched too.
        kurtosis: of the gradient's entries; 3 for a normal distribution.
        tail: share of Σ g² in the largest 1 % of entries.
        hill: Hill's index α of the largest 1 % of magnitudes, P(|g| > x) ~ x^−α; below 2 the variance is infinite.
        absent: whether there was no gradient at all.
    """

    weight: float = NAN
    gradient: float = NAN
    update: float = NAN
    relative_update: float = NAN
    slope: float = NAN
    largest: float = NAN
    zero: float = NAN
    non_finite: float = 0.0
    lost: float = NAN
    eps: float = NAN
    decay: float = NAN
    turn: float = NAN
    alike: float = NAN
    kurtosis: float = NAN
    tail: float = NAN
    hill: float = NAN
    absent: bool = False


@dataclass(frozen=True)
class LayerProbe:
    """What one module read or made in the forward pass of a watched step.

    Attributes:
        rms: root mean square of what it made.
        inputs: root mean square of the non-zero entries that it read.
        reads_data: whether what it read has no history: the data of the batch.
        dead: share of its units that were zero for every sample of the last watched passes; NaN where nothing is cut.
        saturated: share of entries in the flat part of a bounded activation; NaN where none is.
        non_finite: 1 where something that it made is not finite.
    """

    rms: float = NAN
    inputs: float = NAN
    reads_data: bool = False
    dead: float = NAN
    saturated: float = NAN
    non_finite: float = 0.0


@dataclass(frozen=True)
class BatchProbe:
    """Outputs against targets in one watched step, where both are known and the targets are classes.

    Attributes:
        size: samples.
        classes: K.
        cross_entropy: mean of −log softmax(outputs)[target].
        accuracy: share of samples whose target is the first choice.
        sure_accuracy: the same among the half of the samples whose first choice has the larger probabilities.
        rank: mean place of the target among the other classes where it is not the first choice: 0 for the second
            choice, 1 for the last; ½ says that the model sees nothing in these targets.
        sure_rank: the same among that half.
        median: of the samples' cross-entropies.
    """

    size: int = 0
    classes: int = 0
    cross_entropy: float = NAN
    accuracy: float = NAN
    sure_accuracy: float = NAN
    rank: float = NAN
    sure_rank: float = NAN
    median: float = NAN


@dataclass(frozen=True)
class Window:
    """One watched step.

    Attributes:
        step: counted from 1.
        span: how many steps it stands for: those since the window before.
        parameters: probes by parameter name, in the model's order.
        layers: probes by module name, in forward order; empty where activations are not observed.
        batch: outputs against targets.
        norm: of the gradient of all parameters that the optimizers hold.
        slope: Σ g Δ over all of them: what the gradient foretells this step to change the loss by.
        alike: cosine of the whole gradient and that of the step before.
        kept: cosine of the mean gradient of the last watched steps and that of the first eight; NaN until both are
            known.
        loss: as it was passed; NaN where none was.
        cleared: share of the looked-at parameters whose gradient was cleared before its first backward; NaN where that
            cannot be told.
        skipped: whether no optimizer took a step.
    """

    step: int
    span: int = 1
    parameters: dict[str, ParameterProbe] = field(default_factory=dict)
    layers: dict[str, LayerProbe] = field(default_factory=dict)
    batch: BatchProbe | None = None
    norm: float = NAN
    slope: float = NAN
    alike: float = NAN
    kept: float = NAN
    loss: float = NAN
    cleared: float = NAN
    skipped: bool = False


class Event(NamedTuple):
    """Something that happened at one step: ``kind`` is a word, ``text`` a sentence, ``layers`` whom it concerns."""

    step: int
    kind: str
    text: str = ""
    layers: tuple[str, ...] = ()


class Validation(NamedTuple):
    """A validation value, lower is better.

    Attributes:
        step: after which.
        value: as given.
        training: mean training loss since the one before.
        wrong_mode: whether the model was run since the last step in training mode alone, and differs by it.
        wrong_weights: whether it was run without the weights that an optimizer keeps for evaluation.
    """

    step: int
    value: float
    training: float = NAN
    wrong_mode: bool = False
    wrong_weights: bool = False


@dataclass(frozen=True)
class Held:
    """What is known of a parameter beside its numbers.

    Attributes:
        shape, dtype: of the tensor (the global shape where it is sharded).
        optimizer: the class of the optimizer that holds it; empty where none does.
        group: which of its groups.
        in_model: whether it is one of the model's parameters.
        trainable: its ``requires_grad``.
        weights: how its optimizer keeps it, as the ``weights`` of a group of gradwright's: ``"plain"``, or in a way in
            which half-precision weights see steps smaller than their last place.
    """

    shape: tuple[int, ...]
    dtype: str
    optimizer: str = ""
    group: int = -1
    in_model: bool = True
    trainable: bool = True
    weights: str = "plain"


@dataclass
class Data:
    """What the batches said of the data, summed over all steps that were seen.

    Attributes:
        counts: of each class among the targets.
        batches: how many batches were seen.
        size: mean number of samples in a batch.
        alike: intraclass correlation of targets within batches: 0 for shuffled data, 1 where each batch is of one kind.
        features_alike: the same for the inputs, averaged over features.
        tokens: whether the targets are tokens of the inputs' own vocabulary, as in a language model.
    """

    counts: tuple[float, ...] = ()
    batches: int = 0
    size: float = NAN
    alike: float = NAN
    features_alike: float = NAN
    tokens: bool = False


HISTOGRAM_EDGES: tuple[float, ...] = tuple(10.0 ** (k / 2) for k in range(-32, 33))
"""Magnitudes that part the bins of a histogram: half a decade each, from 1e-16 to 1e16."""


@dataclass(frozen=True)
class Histogram:
    """Counts on a symmetric logarithmic axis.

    Attributes:
        negative: counts of −x by magnitude: entry k counts ``HISTOGRAM_EDGES[k] <= −x < HISTOGRAM_EDGES[k + 1]``;
            what lies outside is in the first or the last bin. 64 entries.
        zero: count of exact zeros.
        positive: likewise for x > 0.
    """

    negative: tuple[int, ...]
    zero: int
    positive: tuple[int, ...]


@dataclass(frozen=True)
class Histograms:
    """Histograms by parameter name at one step; of the same even samples, evenly spaced."""

    step: int
    weights: dict[str, Histogram]
    gradients: dict[str, Histogram]
    updates: dict[str, Histogram]


@dataclass
class Record:
    """All that is known of a run.

    Attributes:
        steps: how many steps were taken.
        windows: the watched steps, oldest first; every other one of the older ones is dropped when they are too many.
        loss: the passed loss at every step.
        learning_rates: for each optimizer and group, as ``"AdamW.0"``, the learning rate at every step.
        scale: of the gradient scaler at every watched step; empty without one.
        validation: values given to ``Watch.validation``.
        events: the first loss that is not finite, sinks that failed, and the like.
        parameters: what is known of each, by name; tensors that are not the model's are named ``"AdamW.0[3]"``.
        settings: per optimizer and group the hyper-parameters at the last watched step.
        data: what the batches said of the data.
        histograms: at steps that double, and of the last watched step.
        activations: whether layers are observed.
    """

    steps: int = 0
    windows: list[Window] = field(default_factory=list)
    loss: Series = field(default_factory=Series)
    learning_rates: dict[str, Series] = field(default_factory=dict)
    scale: Series = field(default_factory=Series)
    validation: list[Validation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    parameters: dict[str, Held] = field(default_factory=dict)
    settings: dict[str, dict[str, float]] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    histograms: list[Histograms] = field(default_factory=list)
    last_histograms_stay: bool = True
    """Whether the last histograms are of a step that doubles, and stay when later ones come."""
    activations: bool = False
