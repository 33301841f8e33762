"""References of the suite, and what optimizers reach there without tuning.

    python benchmarks/no_tuning.py references            # tune AdamW; resumes where it stopped; hours
    python benchmarks/no_tuning.py measure               # untouched defaults against the references
    python benchmarks/no_tuning.py check --cells 5       # compute some stored cells again

References lie in gradwright/study/references/references.json, with versions and hashes of the data.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import torch

import gradwright.study.references as room
from gradwright.study import compare, tasks
from gradwright.study.record.environment import environment
from gradwright.study.record.study import FINISHED, Study
from gradwright.study.references.regret import regrets
from gradwright.study.references.table import RULE, Cell, Reference

FILE = Path(room.__file__).with_name("references.json")
RESULTS = Path(__file__).with_name("results")
RATES = (1e-3, 3e-3, 1e-2)
"""Half-decades to begin with; the grid grows at either end until its best lies within."""
SCHEDULES = ("constant", "cosine", "warmup-cosine")
TUNING, FRESH = (0, 1, 2), (100, 101, 102, 103, 104)
LADDER = [float(f"{mantissa}e{power}") for power in range(-6, 2) for mantissa in (1, 3)]
CONTENDERS = "Surefoot,torch:AdamW,ScheduleFreeAdamW,Adafactor,Prodigy,DoG,AdamH,Lion,Muon"


def run(
    task: str, optimizers: str, seeds: tuple[int, ...], lr: float | None = None, schedule: str = "constant"
) -> Study:
    return compare(task, optimizers, seeds=seeds, lr=lr, schedule=schedule, evaluations=1, threads=1, progress=False)


def ends(study: Study) -> tuple[float, ...]:
    metric = study.tasks[0].metric.name
    return tuple(each.final(metric) if each.status == FINISHED else math.inf for each in study.runs)


def stored() -> dict[str, Reference]:
    found = json.loads(FILE.read_text()) if FILE.is_file() else []
    return {each["task"]: Reference.from_json(each) for each in found}


def store(references: dict[str, Reference]) -> None:
    rows = [references[name].to_json() for name in sorted(references)]
    temporary = FILE.with_suffix(".part")
    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    temporary.replace(FILE)


def tune(task: str, known: dict[str, Reference], seeds: tuple[int, ...], fresh: tuple[int, ...]) -> None:
    """Fill the grid of a task, cell by cell, and measure its best cell at fresh seeds."""
    first = run(task, RULE, seeds[:1], lr=RATES[0])
    note = first.tasks[0]
    made = known.get(task) or Reference(
        task, first.runs[0].steps, first.runs[0].points[0].metrics[note.metric.name], (), (), dict(note.data),
        environment(),
    )  # fmt: skip
    cells = {(cell.lr, cell.schedule): cell for cell in made.grid}
    rates = sorted({rate for rate, _ in cells} | set(RATES))
    while True:
        for rate in rates:
            for schedule in SCHEDULES:
                have = cells[rate, schedule].ends if (rate, schedule) in cells else ()
                if len(have) < len(seeds):
                    more = ends(run(task, RULE, seeds[len(have) :], rate, schedule))
                    cells[rate, schedule] = Cell(rate, schedule, (*have, *more))
                    made = replace(made, grid=tuple(cells[key] for key in sorted(cells)), fresh=())
                    store({**known, task: made})
        best = made.chosen
        print(f"{task:22} {best.schedule:14} lr {best.lr:<8g} {best.mean:.5g}", flush=True)
        beyond = [rate for rate in LADDER if rate < rates[0]][-1:] if best.lr == rates[0] else []
        beyond += [rate for rate in LADDER if rate > rates[-1]][:1] if best.lr == rates[-1] else []
        if not beyond:
            break
        rates = sorted({*rates, *beyond})
    if len(made.fresh) < len(fresh):
        made = replace(made, fresh=ends(run(task, RULE, fresh, made.chosen.lr, made.chosen.schedule)))
    known[task] = made
    store(known)
    print(f"{task:22} L* {made.best:.5g} from {made.start:.4g}", flush=True)


def measure(names: list[str], optimizers: str, seeds: tuple[int, ...], out: Path | None) -> None:
    study = compare(names, optimizers, seeds=seeds, evaluations=1, threads=1, progress=False)
    table = regrets(study)
    for each in table:
        worst = max(each.tasks, key=lambda task: each.tasks[task])
        print(
            f"{each.contender:22} mean {100 * each.mean:6.1f} ({100 * each.low:.1f} to {100 * each.high:.1f})  worst "
            f"{100 * each.worst:6.1f} ({worst})  worth {each.trials:g} trials  not finite {each.not_finite}"
        )
    if out is not None:
        rows = [{**vars(each), "stale": list(each.stale)} for each in table]
        for row in rows:
            row["trials"] = row["trials"] if math.isfinite(row["trials"]) else None
        out.write_text(json.dumps({"environment": dict(environment()), "regrets": rows}, indent=1) + "\n")


def check(cells: int, seed: int) -> None:
    """Compute some random cells again; on the same versions and machine they come out bit for bit."""
    dice = random.Random(seed)
    known = stored()
    for _ in range(cells):
        made = known[dice.choice(sorted(known))]
        cell = dice.choice(made.grid)
        again = ends(run(made.task, RULE, TUNING[: len(cell.ends)], cell.lr, cell.schedule))
        apart = max(abs(one - two) if one != two else 0.0 for one, two in zip(cell.ends, again))
        share = apart / abs(made.start - made.best)
        print(f"{made.task:22} {cell.schedule:14} lr {cell.lr:<8g} {100 * share:.3f} % of the way apart")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("references", "measure", "check"))
    parser.add_argument("--tasks", default=",".join(tasks.SUITE))
    parser.add_argument("--optimizers", default=CONTENDERS)
    parser.add_argument("--seeds", type=int, help="tuning seeds, or seeds to measure with; default all")
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = given.tasks.split(",")
    if given.what == "check":
        check(given.cells, given.seed)
    elif given.what == "measure":
        measure(names, given.optimizers, FRESH[: given.seeds], given.out)
    else:
        known = stored()
        for name in names:
            tune(name, known, TUNING[: given.seeds], FRESH[: 2 * given.seeds] if given.seeds else FRESH)
        print(f"median start {statistics.median(each.start for each in known.values()):.3g}", file=sys.stderr)


if __name__ == "__main__":
    main()
