"""Pictures that belong to one task: the long tail of gradients, and a latent space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradwright.observe.page.axis import Linear, spanning
from gradwright.observe.page.chart import Mark, Word, chart, figure
from gradwright.observe.page.curves import legend
from gradwright.observe.page.histograms import Shown, histogram
from gradwright.observe.page.markup import Markup, element, markup
from gradwright.observe.page.words import number, per_cent
from gradwright.study.record.study import Study, TaskNote
from gradwright.study.report.summary import ranking
from gradwright.study.tasks.long_tail import histogram as read_histogram

IN_USE = 0.1
"""Nats of KL from which on a latent dimension counts as used."""


def long_tail(found: Mapping[str, Any]) -> Markup:
    """Histograms of the output layer's gradient at the first and at the last step, without a remedy and with it."""
    runs = found["runs"]
    keys = [(kind, run["name"]) for kind, run in zip(KINDS, runs)]
    pictures = [_tail(runs, at, f"step {step}") for at, step in enumerate((1, found["steps"]))]
    return markup([legend(keys), element("div", *pictures, class_="grid"), _served(runs, found["steps"])])


def _served(runs: Sequence[Mapping[str, Any]], steps: int) -> Markup | None:
    """How the classes fare, where the task measures them alike."""
    shares = [(run["name"], run["metrics"].get("balanced_accuracy")) for run in runs]
    if any(share is None for _, share in shares):
        return None
    said = ", ".join(f"{per_cent(share)} by {name}" for name, share in shares)
    return element("p", f"Mean accuracy of the classes after these {steps} steps: {said}.", class_="faint")


KINDS = ("other", "c0", "c1", "c2")


def _tail(runs: Sequence[Mapping[str, Any]], at: int, when: str) -> Markup:
    shown = [Shown(run["name"], kind, read_histogram(run["histograms"][at])) for kind, run in zip(KINDS, runs)]
    said = [f"{run['name']}: {per_cent(run['tail'][at])}, kurtosis {number(run['kurtosis'][at])}" for run in runs]
    words = f"Share of Σ g² in the largest 1 % of the entries: {'; '.join(said)}."
    label = f"Histograms of gradients at {when}. {words}"
    return figure(f"Gradient at {when}", histogram(shown, label, height=220), element("p", words, class_="faint"))


def latents(study: Study, task: TaskNote) -> list[tuple[str, Markup]]:
    """The latent space of each contender's first run that has one, the best contender first."""
    found = []
    for arm in ranking(study, task):
        space = next((run.pictures["latent"] for run in arm.runs if "latent" in run.pictures), None)
        if space is not None:
            found.append((arm.contender, latent(space)))
    return found


def latent(space: Mapping[str, Any]) -> Markup:
    """Means of q(z|x) on their first two principal components, coloured by label, and the KL of each dimension."""
    x, y = (spanning(space[axis], logarithmic=False) for axis in ("x", "y"))
    labels = sorted(set(space["label"]))
    points = [_of_label(space, label) for label in labels]
    marks = [
        Mark(f"points d{label % 10}", [[(x.place(a), y.place(b)) for a, b in places]], dots=True)
        for label, places in zip(labels, points)
    ]
    words = [_at_median(label, places, x, y) for label, places in zip(labels, points)]
    total, used = sum(space["kl"]), sum(kl > IN_USE for kl in space["kl"])
    said = f"KL {number(total)} nats; {used} of {len(space['kl'])} dimensions in use; "
    said += f"the two shown hold {per_cent(space['share'])} of the spread."
    scatter = chart(marks, x, y, label=f"Latent space coloured by label. {said}", height=300, words=words)
    return markup([scatter, element("p", said, class_="faint"), _divergences(space["kl"])])


def _of_label(space: Mapping[str, Any], label: int) -> list[tuple[float, float]]:
    return [(a, b) for a, b, each in zip(space["x"], space["y"], space["label"]) if each == label]


def _at_median(label: int, places: Sequence[tuple[float, float]], x: Any, y: Any) -> Word:
    """The label at the middle of its points, so that colour is not all that tells it."""
    across, up = (sorted(each)[len(places) // 2] for each in zip(*places))
    return Word(x.place(across), y.place(up), str(label), f"d{label % 10}")


def _divergences(kl: Sequence[float]) -> Markup:
    """A bar for the KL of each dimension, the largest first."""
    x, y = Linear(0.0, float(len(kl)), whole=True), Linear(0.0, max(kl) or 1.0)
    bars = [
        [(x.place(at + 0.12), 0.0), (x.place(at + 0.12), top), (x.place(at + 0.88), top), (x.place(at + 0.88), 0.0)]
        for at, top in enumerate(y.place(each) for each in sorted(kl, reverse=True))
    ]
    label = f"KL by dimension: {', '.join(map(number, sorted(kl, reverse=True)))}"
    marks = [Mark("area c0", bars, closed=True), Mark("line c0", bars)]
    return chart(marks, x, y, label=label, height=70, beneath="KL of each dimension, in nats")
