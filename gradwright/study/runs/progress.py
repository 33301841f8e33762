"""What a user sees while a study runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from gradwright.study.record.study import FINISHED, RunRecord
from gradwright.study.record.words import number, value
from gradwright.study.runs.contenders import Contender
from gradwright.study.runs.run import Tick
from gradwright.study.tasks.labels import one_line
from gradwright.study.tasks.task import Task

REFRESH = 0.1  # seconds between two updates of the live display
HEARTBEAT = 30.0  # seconds between two lines of a long run where there is no live display


class Job(NamedTuple):
    """One run to come."""

    task: Task
    contender: Contender
    seed: int
    lr: float | None
    lr_source: str

    @property
    def title(self) -> str:
        rate = "" if self.lr is None else f"  lr {self.lr:.3g}"
        return one_line(f"{self.task.name}  {self.contender.name}") + f"{rate}  seed {self.seed}"


class Watcher:
    """Sees a study happen, and does nothing about it: the silent one, and the base of the others."""

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def plan(self, jobs: Sequence[Job]) -> None:
        """Called once, before the first run."""

    def start(self, job: Job) -> None:
        """Called before a run."""

    def tick(self, tick: Tick) -> None:
        """Called after every step."""

    def finish(self, record: RunRecord) -> None:
        """Called after a run."""


class Estimator(Watcher):
    """Estimates the time left: runs like those seen take as long, the others as long as the mean."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.done = 0
        self.seen: dict[tuple[str, str], list[float]] = {}
        self.job: Job | None = None
        self.begun = self.shown = 0.0

    def plan(self, jobs: Sequence[Job]) -> None:
        self.jobs = list(jobs)

    def start(self, job: Job) -> None:
        self.job, self.begun, self.shown = job, time.perf_counter(), 0.0

    def finish(self, record: RunRecord) -> None:
        self.done += 1
        self.seen.setdefault((record.task, record.contender), []).append(record.total_seconds)

    def due(self, interval: float) -> bool:
        """True once every ``interval`` seconds."""
        now = time.perf_counter()
        if now - (self.shown or self.begun) < interval:
            return False
        self.shown = now
        return True

    def run_left(self, fraction: float) -> float:
        """Seconds left of the current run."""
        return (time.perf_counter() - self.begun) * (1 - fraction) / max(fraction, 1e-3)

    def left(self, fraction: float | None = None) -> float:
        """Seconds left of the whole study; ``fraction`` of the current run is done."""
        current = 0.0 if fraction is None else self.run_left(fraction)
        typical = (time.perf_counter() - self.begun) / max(fraction, 1e-3) if fraction else 0.0
        rest = self.jobs[self.done + (fraction is not None) :]
        return current + sum(self._expected(job, typical) for job in rest)

    def _expected(self, job: Job, typical: float) -> float:
        same = self.seen.get((job.task.name, job.contender.name))
        near = [s for (task, _), seconds in self.seen.items() if task == job.task.name for s in seconds]
        every = [s for seconds in self.seen.values() for s in seconds]
        for found in (same, near, every):
            if found:
                return sum(found) / len(found)
        return typical


class Lines(Estimator):
    """A plain line for each run, for logs and pipes."""

    def __init__(self, file: Any = None) -> None:
        super().__init__()
        self.file = file or sys.stderr

    def plan(self, jobs: Sequence[Job]) -> None:
        super().plan(jobs)
        print(f"{len(jobs)} runs", file=self.file, flush=True)

    def tick(self, tick: Tick) -> None:
        if self.job is not None and self.due(HEARTBEAT):
            print(
                f"  {self.job.title}: {100 * tick.fraction:.0f} %, loss {number(tick.loss)}, "
                f"{tick.step / max(tick.elapsed, 1e-9):.0f} steps/s, {duration(self.left(tick.fraction))} left",
                file=self.file,
                flush=True,
            )

    def finish(self, record: RunRecord) -> None:
        super().finish(record)
        left = f"  about {duration(self.left())} left" if self.done < len(self.jobs) else ""
        head = f"[{self.done:>{len(str(len(self.jobs)))}}/{len(self.jobs)}]"
        print(f"{head} {outcome(self.job, record)}{left}", file=self.file, flush=True)


class Live(Estimator):
    """Two bars that move, the run's and the study's, under the list of finished runs."""

    def __init__(self, console: Any = None) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.console = console or Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            auto_refresh=False,  # a refreshing thread would count in the processor time of the steps
            transient=True,
            expand=True,
        )

    def __enter__(self) -> Live:
        self.run_bar = self.progress.add_task("", total=1.0, note="")
        self.all_bar = self.progress.add_task("", total=1.0, note="")
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def plan(self, jobs: Sequence[Job]) -> None:
        super().plan(jobs)
        self.width = max((len(job.title) for job in jobs), default=0)

    def start(self, job: Job) -> None:
        super().start(job)
        self._show(0.0, "starting")

    def tick(self, tick: Tick) -> None:
        if self.due(REFRESH):
            speed = tick.step / max(tick.elapsed, 1e-9)
            self._show(
                tick.fraction,
                f"loss {number(tick.loss):<8} {speed:5.0f} steps/s  {duration(self.run_left(tick.fraction)):>5} left",
            )

    def finish(self, record: RunRecord) -> None:
        super().finish(record)
        fine = record.status == FINISHED
        line = f"{'✓' if fine else '✗'} {outcome(self.job, record)}"
        self.console.print(line, style=None if fine else "red", markup=False, highlight=False)

    def _show(self, fraction: float, note: str) -> None:
        job, runs = self.job, len(self.jobs)
        overall = (self.done + fraction) / max(1, runs)
        left = f"{duration(self.left(fraction)):>5} left" if fraction or self.done else ""
        words = job.title.ljust(self.width) if job else ""
        self.progress.update(self.run_bar, description=words, completed=fraction, note=note)
        text = f"run {min(self.done + 1, runs)} of {runs}"
        self.progress.update(self.all_bar, description=text, completed=overall, note=left)
        self.progress.refresh()


def outcome(job: Job | None, record: RunRecord) -> str:
    """One line on a finished run."""
    names = [one_line(name) for name in ((job.task.name, job.contender.name) if job else (record.task,))]
    head = f"{names[0]:<11} {names[1]:<18} seed {job.seed}" if job else names[0]
    if job is not None and job.lr is not None:
        head += f"  lr {job.lr:.3g}"
    if record.status != FINISHED:
        return f"{head}  {record.status}: {record.reason}"
    metric = job.task.metric if job else None
    result = f"{one_line(metric.label)} {value(metric, record.final(metric.name))}" if metric else ""
    return f"{head}  {result}  in {record.total_seconds:.1f} s"


def duration(seconds: float) -> str:
    """Seconds as ``4 s``, ``1:05`` or ``2:03:00``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def watcher(progress: bool | Watcher) -> Watcher:
    """The given one; or for True a live display on a terminal and lines elsewhere; or for False none."""
    if isinstance(progress, Watcher):
        return progress
    if not progress:
        return Watcher()
    return Live() if sys.stderr.isatty() else Lines()
