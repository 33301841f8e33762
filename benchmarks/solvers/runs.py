"""Runs of contenders on CUTEst problems, in child processes; what is done is kept in a file and not run again."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

SECONDS = 150.0
"""Of processor time, for one solver on one problem."""

Run = dict[str, Any]
Tasks = list[list[Any]]
"""Problems, each with the contenders still to run on it."""


def read(path: Path) -> list[Run]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def forget(path: Path, contenders: list[str], dtypes: tuple[str, ...]) -> None:
    """Remove the runs of these contenders."""
    kept = [run for run in read(path) if run["contender"] not in contenders or run["dtype"] not in dtypes]
    path.write_text("".join(json.dumps(run) + "\n" for run in kept))


def complete(path: Path, kind: str, dtype: str, problems: list[str], contenders: list[str], limit: float) -> None:
    """Run what the file lacks. A child serves until it is through or one problem takes more than ``limit`` seconds,
    all contenders together; that problem is then marked as skipped."""
    while tasks := _open(path, dtype, problems, contenders):
        stuck = _serve(path, kind, dtype, tasks, limit)
        if stuck is not None:
            note = {"kind": kind, "problem": stuck, "dtype": dtype, "contender": "", "skipped": "time or crash"}
            with path.open("a") as file:
                file.write(json.dumps(note) + "\n")


def _open(path: Path, dtype: str, problems: list[str], contenders: list[str]) -> Tasks:
    done = {(run["problem"], run["contender"]) for run in read(path) if run["dtype"] == dtype}
    tasks = [[name, [each for each in contenders if (name, each) not in done]] for name in problems]
    return [[name, todo] for name, todo in tasks if todo and (name, "") not in done]


def _serve(path: Path, kind: str, dtype: str, tasks: Tasks, limit: float) -> str | None:
    """The problem at which the child crashed or was ended, or None."""
    command = [sys.executable, "-m", "solvers.runs", kind, dtype, str(path.resolve())]
    here = Path(__file__).parents[1]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here)
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(tasks))
    process.stdin.close()
    name = tasks[0][0]
    while True:
        ready, _, _ = select.select([process.stdout], [], [], limit)
        if not ready:
            process.kill()
            break
        line = process.stdout.readline().strip()
        if not line:
            break
        name = line
        print(f"  {name} {dtype}", file=sys.stderr, flush=True)
    return name if process.wait() != 0 else None


def child(kind: str, dtype: str, path: Path, tasks: Tasks) -> None:
    """Add one line of JSON to the file for each run, and print each problem's name before it starts."""
    import torch

    from solvers.contenders import CONTENDERS, run
    from solvers.problems import load

    torch.set_num_threads(1)
    with path.open("a", buffering=1) as file:
        for name, contenders in tasks:
            print(name, flush=True)
            told: Run = {"kind": kind, "problem": name, "dtype": dtype}
            try:
                problem = load(kind, name, dtype)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"[:200]
                file.write(json.dumps({**told, "contender": "", "skipped": why}) + "\n")
                continue
            if problem is None:
                file.write(json.dumps({**told, "contender": "", "skipped": "too large"}) + "\n")
                continue
            problem.product(problem.x0, problem.x0)
            for contender in contenders:
                outcome = run(problem, CONTENDERS[kind][contender], SECONDS)
                line = {**told, "contender": contender, "unknowns": problem.x0.size, **asdict(outcome)}
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], Path(sys.argv[3]), json.load(sys.stdin))
