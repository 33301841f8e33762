"""What a watch tells others: loggers, files, and the reader of its page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradwright.core.warn import warn_user
from gradwright.observe.page import write
from gradwright.observe.record import Event
from gradwright.observe.sinks import Callback, JsonLines, TensorBoard

if TYPE_CHECKING:
    from gradwright.observe.cause import Finding
    from gradwright.observe.record import Record, Window

Sink = Callable[["Window", "Record"], Any]
"""Is given each finished window, in order, with the record so far."""

Target = Callable[[dict[str, float]], Any] | str | os.PathLike[str]
"""A callable that takes a dictionary, or the path of a file of JSON lines."""


class Telling:
    """The part of :class:`~gradwright.observe.Watch` that hands on what it knows.

    A sink that raises an error, on a full disk or a closed file, is told no more: one warning, and the run goes on.
    """

    record: Callable[[], Record]
    findings: Callable[[], list[Finding]]

    def __init__(self) -> None:
        self._sinks: list[Sink] = []

    def subscribe(self, sink: Sink) -> None:
        """Have each finished window given to ``sink``, in order, when it comes to the host.

        Args:
            sink: takes the window and the record so far; its ``close(record)``, where it has one, is called when the
                watch is closed.
        """
        self._sinks.append(sink)

    def report(self, path: str | os.PathLike[str], title: str = "") -> Path:
        """Write a page that needs nothing but itself: findings, losses, layers over time, histograms.

        Args:
            path: of the file, in a folder that exists; written whole or not at all.
            title: a name for the run.

        Returns:
            The path.

        Raises:
            ValueError: the file cannot be written; says why.
        """
        return write(self.record(), self.findings(), path, title)

    def to(self, target: Target, only: Iterable[str] | None = None) -> None:
        """Give the numbers of each watched step from now on to a logger, or write them to a file.

        ::

            watch.to(wandb.log)
            watch.to(lambda found: mlflow.log_metrics(found, step=int(found["step"])))
            watch.to("run.jsonl")

        Args:
            target: a callable that takes one dictionary of floats with names such as
                ``"layer.weight/relative_update"``, "loss" and "step"; or a path, for :meth:`to_json_lines`.
            only: which probes of parameters and layers the callable gets, as ``["relative_update", "dead"]``; all if
                not given.

        Numbers come when they come to the host, which is not at once: every few watched steps, and when the watch is
        closed.

        Raises:
            TypeError: ``target`` is neither.
            ValueError: ``only`` names something that is no probe, or goes with a path, whose file holds all.
        """
        if not isinstance(target, str | os.PathLike):
            self.subscribe(Callback(target, only))
        elif only is not None:
            raise ValueError(f"Watch.to: only={only!r} has no effect on a file, which holds all probes: leave it out")
        else:
            self.to_json_lines(target)

    def to_tensorboard(self, folder: str | os.PathLike[str], only: Iterable[str] | None = None) -> None:
        """Write each watched step from now on into a folder that TensorBoard reads.

        Args:
            folder: of the run, made if need be.
            only: which probes of parameters and layers are wanted; all if not given.

        Raises:
            ModuleNotFoundError: tensorboard is not installed.
            ValueError: the folder cannot be made, or ``only`` names something that is no probe.
        """
        self.subscribe(TensorBoard(folder, only))

    def to_json_lines(self, path: str | os.PathLike[str]) -> None:
        """Write each watched step from now on as a line of a file, which :func:`gradwright.observe.read` reads.

        Args:
            path: of the file; one that is there is written anew.

        Raises:
            ValueError: the file cannot be written.
        """
        self.subscribe(JsonLines(path))

    def _tell(self, window: Window, record: Record) -> None:
        for sink in list(self._sinks):
            self._try(sink, lambda sink=sink: sink(window, record), record)  # type: ignore[misc]

    def _tell_end(self, record: Record) -> None:
        """Let sinks write what is left, once."""
        for sink in list(self._sinks):
            if close := getattr(sink, "close", None):
                self._try(sink, lambda close=close: close(record), record)  # type: ignore[misc]
        self._sinks.clear()

    def _try(self, sink: Sink, tell: Callable[[], Any], record: Record) -> None:
        try:
            tell()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            self._sinks.remove(sink)
            record.events.append(Event(record.steps, "sink", f"{sink!r} failed with {said}"))
            warn_user(f"Watch: {sink!r} failed with {said}; it is told no more, and the run goes on")
