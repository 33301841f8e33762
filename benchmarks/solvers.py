"""How many problems of CUTEst our solvers solve, beside SciPy's, and at what cost in evaluations.

python benchmarks/solvers.py --half even --out benchmarks/results
python benchmarks/solvers.py --kind bounded --again l-bfgs-b

What is done is kept in a file and not run again. A problem that takes too long is given up with its process.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

SECONDS = 150.0
"""Of processor time, for one solver on one problem."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count what solvers solve on CUTEst problems (sif2jax, jax, scipy).")
    parser.add_argument("--kind", choices=("unconstrained", "bounded"), default="unconstrained")
    parser.add_argument("--half", choices=("even", "odd", "both"), default="even", help="of the names, by their CRC-32")
    parser.add_argument("--dtype", choices=("float64", "float32", "both"), default="both")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="entrants; repeatable")
    parser.add_argument("--again", action="append", default=[], metavar="NAME", help="entrants to forget and run again")
    parser.add_argument("--problem", action="append", default=[], metavar="NAME", help="problems; repeatable")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds for one problem, all entrants together")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    parser.add_argument("--child", metavar="DTYPE", help=argparse.SUPPRESS)
    return parser.parse_args()


def child(kind: str, dtype: str, path: Path, tasks: list[list[Any]]) -> None:
    """Run entrants on problems, and add one line of JSON to the file for each, and print each problem's name before it
    starts."""
    import torch
    from solvers.entrants import ENTRANTS, run
    from solvers.problems import load

    torch.set_num_threads(1)
    with path.open("a", buffering=1) as file:
        for name, entrants in tasks:
            print(name, flush=True)
            told: dict[str, Any] = {"kind": kind, "problem": name, "dtype": dtype}
            try:
                problem = load(kind, name, dtype)
            except Exception as error:
                file.write(
                    json.dumps({**told, "entrant": "", "skipped": f"{type(error).__name__}: {error}"[:200]}) + "\n"
                )
                continue
            if problem is None:
                file.write(json.dumps({**told, "entrant": "", "skipped": "too large"}) + "\n")
                continue
            problem.product(problem.x0, problem.x0)
            for entrant in entrants:
                outcome = run(problem, ENTRANTS[kind][entrant], SECONDS)
                line = {**told, "entrant": entrant, "unknowns": problem.x0.size, **asdict(outcome)}
                file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(given: argparse.Namespace, path: Path) -> None:
    from solvers.entrants import ENTRANTS
    from solvers.problems import names

    known = list(ENTRANTS[given.kind])
    wanted = given.only or given.again or known
    if given.again:
        kept = [
            run for run in read(path) if run["entrant"] not in given.again or given.dtype not in (run["dtype"], "both")
        ]
        path.write_text("".join(json.dumps(run) + "\n" for run in kept))
    for dtype in ("float64", "float32") if given.dtype == "both" else (given.dtype,):
        chosen = [name for name in names(given.kind, given.half) if not given.problem or name in given.problem]
        while tasks := _open(path, dtype, chosen, wanted):
            _run(given, path, dtype, tasks)


def _open(path: Path, dtype: str, chosen: list[str], wanted: list[str]) -> list[list[Any]]:
    """What is still to do: problems with their entrants."""
    done = {(run["problem"], run["entrant"]) for run in read(path) if run["dtype"] == dtype}
    tasks = [[name, [each for each in wanted if (name, each) not in done]] for name in chosen if (name, "") not in done]
    return [task for task in tasks if task[1]]


def _run(given: argparse.Namespace, path: Path, dtype: str, tasks: list[list[Any]]) -> None:
    """Run a child until it is through or one problem takes too long; that problem is marked and the child ended."""
    command = [sys.executable, __file__, "--kind", given.kind, "--out", str(given.out), "--child", dtype]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(tasks))
    process.stdin.close()
    name = tasks[0][0]
    while True:
        ready, _, _ = select.select([process.stdout], [], [], given.limit)
        line = process.stdout.readline().strip() if ready else None
        if line == "":
            break
        if line is None:
            process.kill()
        else:
            name = line
            print(f"  {name} {dtype}", file=sys.stderr, flush=True)
            continue
        break
    if process.wait() != 0:
        note = {"kind": given.kind, "problem": name, "dtype": dtype, "entrant": "", "skipped": "time or crash"}
        with path.open("a") as file:
            file.write(json.dumps(note) + "\n")


def main() -> None:
    given = arguments()
    from solvers.problems import half
    from solvers.table import best_values, summary, text

    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"solvers_{given.kind}.jsonl"
    if given.child:
        child(given.kind, given.child, path, json.load(sys.stdin))
        return
    measure(given, path)
    runs = [run for run in read(path) if not run.get("skipped") and given.half in ("both", half(run["problem"]))]
    rows = summary(runs, best_values(runs))
    print(f"{given.kind}, {given.half} half\n\n{text(rows)}")
    (given.out / f"solvers_{given.kind}_{given.half}.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
