"""Byte-level GPTs on the standard library's own sources."""

from __future__ import annotations

from functools import partial

from gradwright.study.tasks.corpus import standard_library
from gradwright.study.tasks.gpt import GPT, Shape
from gradwright.study.tasks.next_byte import METRICS, predicting
from gradwright.study.tasks.task import Session, Task


def start(seed: int, name: str, shape: Shape, batch: int | None = None) -> Session:
    """Random windows at each step; fixed ones to validate.

    Args:
        seed: of the run.
        name: of the task, which enters the batches.
        shape: of the model.
        batch: windows in a batch, where not those of the shape.
    """
    rows = shape.batch if batch is None else batch
    return predicting(GPT(shape), standard_library(), shape.length, rows, name, seed)


def _data() -> dict[str, str]:
    text = standard_library()
    return {
        f"Python's standard library ({text.files} sources, {len(text.train) / 1e6:.2f} MB to train on)": text.sha256
    }


def gpt_task(name: str, description: str, shape: Shape, steps: int) -> Task:
    """A task of a GPT of this shape.

    Args:
        name: the word for the command line.
        description: one sentence for the report.
        shape: of the model.
        steps: the usual number of steps.
    """
    return Task(
        name=name,
        description=description,
        start=partial(start, name=name, shape=shape),
        metrics=METRICS,
        steps=steps,
        data=_data,
        judge="accuracy",
    )


_READS = "predicts the next byte of the Python standard library's sources"

TASK = gpt_task("stdlib-gpt", f"A small GPT (3 layers, width 64) {_READS}.", Shape(), 300)
NO_NORM = gpt_task(
    "stdlib-gpt-no-norm", f"A small GPT (3 layers, width 64) without normalisation {_READS}.", Shape(norm="none"), 300
)
POST_NORM = gpt_task(
    "stdlib-gpt-post-norm",
    f"A deep GPT (12 layers, width 48) with LayerNorm after each branch, which wants a warm-up, {_READS}.",
    Shape(width=48, layers=12, norm="post"),
    200,
)
MILLION = gpt_task(
    "stdlib-gpt-1m",
    f"A GPT of a million parameters (4 layers, width 128) {_READS}.",
    Shape(width=128, layers=4, length=128),
    1500,
)
