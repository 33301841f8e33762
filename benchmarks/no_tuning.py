"""References of the suite, and what optimizers reach there without tuning.

    python benchmarks/no_tuning.py references            # tune AdamW; resumes where it stopped; hours
    python benchmarks/no_tuning.py measure               # untouched defaults, run by run; resumes as well
    python benchmarks/no_tuning.py measure --lr-factor 0.1,10 --nuisance loss=1e-6 --nuisance steps=4
    python benchmarks/no_tuning.py tables                # what is stored, as tables
    python benchmarks/no_tuning.py document              # all tables of the documentation, between their marks
    python benchmarks/no_tuning.py check --cells 5       # compute some stored cells again

References lie in gradwright/study/references/references.json, with versions and hashes of the data, measured runs in
benchmarks/results/no_tuning. A task with another batch or number of steps has a reference of its own
(references --nuisance steps=4); other nuisances do not change what a tuned optimizer can reach.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import torch
from untuned import measure as measuring
from untuned.document import document
from untuned.store import load_all
from untuned.tables import tables

import gradwright.study.references as room
from gradwright.study import compare
from gradwright.study import tasks as suite
from gradwright.study.record.environment import environment
from gradwright.study.record.study import FINISHED, Study
from gradwright.study.references.table import RULE, Cell, Reference

FILE = Path(room.__file__).with_name("references.json")
RESULTS = Path(__file__).with_name("results") / "no_tuning"
RATES = (1e-3, 3e-3, 1e-2)
"""Half-decades to begin with; the grid grows at either end until its best lies within."""
SCHEDULES = ("constant", "cosine", "warmup-cosine")
TUNING, FRESH = (0, 1, 2), (100, 101, 102, 103, 104)
LADDER = [float(f"{mantissa}e{power}") for power in range(-6, 2) for mantissa in (1, 3)]
CONTENDERS = "Surefoot,torch:AdamW,ScheduleFreeAdamW,Adafactor,Prodigy,DoG,AdamH,Lion,Muon"


def run(
    task: str, optimizers: str, seeds: tuple[int, ...], lr: float | None = None, schedule: str = "constant"
) -> Study:
    base, _, nuisance = task.rstrip("]").partition("[")
    return compare(
        base, optimizers, nuisance=nuisance or None, seeds=seeds, lr=lr, schedule=schedule, evaluations=1, threads=1,
        progress=False,
    )  # fmt: skip


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


def measure(given: argparse.Namespace, names: list[str]) -> None:
    """Fill in what is missing, and print all tables."""
    factors = [float(word) for word in given.lr_factor.split(",")]
    nuisances = given.nuisance or [""]
    wanted = measuring.keys(names, given.optimizers.split(","), FRESH[: given.seeds], nuisances, factors)
    for run in measuring.measure(given.results, wanted):
        key = run.key
        end = f"{run.outcome.end:.5g}" if run.outcome.finished else f"{run.status}: {run.reason}"
        print(f"{key.changed_task:32} {key.optimizer:20} x {key.factor:<6g} seed {key.seed}  {end}", flush=True)
    show(given.results)


def show(folder: Path) -> None:
    print("\n\n".join(table.markdown() for table in tables(load_all(folder))))


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
    parser.add_argument("what", choices=("references", "measure", "tables", "document", "check"))
    parser.add_argument("--tasks", default="suite", help="names and columns, with commas between")
    parser.add_argument("--optimizers", default=CONTENDERS)
    parser.add_argument("--seeds", type=int, help="tuning seeds, or seeds to measure with; default all")
    parser.add_argument("--nuisance", action="append", help="of every task; several are measured one after another")
    parser.add_argument("--lr-factor", default="1", help="of each optimizer's own learning rate; with commas between")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of measured runs")
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = [name for word in given.tasks.split(",") for name in suite.COLUMNS.get(word, (word,))]
    if given.what == "check":
        check(given.cells, given.seed)
    elif given.what == "measure":
        measure(given, names)
    elif given.what == "tables":
        show(given.results)
    elif given.what == "document":
        document()
    else:
        search(given, names)


def search(given: argparse.Namespace, names: list[str]) -> None:
    """Tune AdamW on every task, with every nuisance."""
    known = stored()
    for nuisance in given.nuisance or [""]:
        for name in names:
            tune(measuring.changed(name, nuisance), known, TUNING[: given.seeds], FRESH)


if __name__ == "__main__":
    main()
