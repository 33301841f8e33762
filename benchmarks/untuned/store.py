"""The stored runs: a file for each task, a line for each run, safe to add to from several processes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradwright.core.files import write
from untuned.run import Key, Run


@dataclass
class TaskFile:
    """What is known of one task.

    Attributes:
        task: its name.
        environments: with what runs were made: versions, processor, hashes of the data.
        settings: what each digest of settings stands for.
        runs: by what was asked for.
    """

    task: str
    environments: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    runs: dict[Key, Run] = field(default_factory=dict)

    def data_of(self, run: Run) -> Mapping[str, str]:
        """The hashes of the data that a run had."""
        return self.environments[run.place]["data"]

    def add(self, run: Run, environment: Mapping[str, Any], settings: str) -> None:
        """Take in a run, in the place of an older one."""
        if environment not in self.environments:
            self.environments.append(dict(environment))
        self.settings[run.settings] = settings
        self.runs[run.key] = replace(run, place=self.environments.index(dict(environment)))

    def text(self) -> str:
        """JSON with a run a line, so that a change shows as what it is."""
        used = {run.settings for run in self.runs.values()}
        head = {
            "task": self.task,
            "environments": self.environments,
            "settings": {digest: self.settings[digest] for digest in sorted(used)},
        }
        rows = [json.dumps(self.runs[key].to_json(), allow_nan=False) for key in sorted(self.runs)]
        return json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n"

    @classmethod
    def read(cls, path: Path) -> TaskFile:
        """The file; empty where there is none yet."""
        if not path.is_file():
            return cls(path.stem)
        found = json.loads(path.read_text())
        runs = [Run.from_json(row) for row in found["runs"]]
        return cls(found["task"], found["environments"], found["settings"], {run.key: run for run in runs})


def load(folder: Path, task: str) -> TaskFile:
    """What is known of a task."""
    return TaskFile.read(folder / f"{task}.json")


def load_all(folder: Path) -> list[TaskFile]:
    """What is known of all tasks, by name."""
    return [TaskFile.read(path) for path in sorted(folder.glob("*.json"))]


def keep(folder: Path, run: Run, environment: Mapping[str, Any], settings: str) -> None:
    """Add a run to its file, which is whole at any time; other processes wait meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        found = load(folder, run.key.task)
        found.add(run, environment, settings)
        write(folder / f"{run.key.task}.json", found.text())


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
