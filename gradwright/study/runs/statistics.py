"""BatchNorm statistics for weights that are only judged, never trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from gradwright.study.runs.step import judged_apart
from gradwright.study.tasks.seeding import RandomStream
from gradwright.study.tasks.task import RECENT, Session
from gradwright.training.batch_norm import recomputed_batch_norm


@contextlib.contextmanager
def fitting_statistics(
    session: Session, optimizer: Any, layers: Sequence[Any], steps: int, *key: object
) -> Iterator[None]:
    """While an average of weights is in the model, BatchNorm layers normalise by what they see at that average.

    Their running statistics were gathered at the weights of training. They are put back afterwards, and the random
    numbers of training are not touched. Nothing happens for an optimizer that is judged where it trains.

    Args:
        session: the model, and its training batches up to ``steps``.
        optimizer: its evaluation weights are in place.
        layers: those that gathered statistics in training.
        steps: how many steps were made.
        key: names the random numbers of the forward passes.
    """
    if not (steps and layers and judged_apart(optimizer)):
        yield
        return
    recent = range(max(0, steps - RECENT), steps)
    with contextlib.ExitStack() as stack:
        with RandomStream(*key, "statistics"):
            stack.enter_context(
                recomputed_batch_norm(
                    session.model, recent, forward=session.batch or session.loss, limit=RECENT, layers=layers
                )
            )
        yield
