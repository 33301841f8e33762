"""What formats of state and weights cost in quality: final losses beside those of float32.

    python benchmarks/formats_quality.py measure --seeds 5        # every run, each into a file of its own; resumes
    python benchmarks/formats_quality.py measure --tasks digits-mlp,zipf-noise --seeds 1 --optimizers AdamW,Lion
    python benchmarks/formats_quality.py table                    # what is stored, the worst named
    python benchmarks/formats_quality.py document                 # the table between its marks in docs/memory.md

A run is a task, an optimizer at the defaults of its recipe, a holding and a seed; runs of one seed begin at the same
weights and see the same batches. Two holdings are float32 through and through, and in bfloat16 with exactly float32
weights: the second tells what it costs to compute in bfloat16, and what is beyond it is the cost of few bits.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from untuned.document import between_marks

import gradwright
from gradwright.core.files import write
from gradwright.study import compare, tasks
from gradwright.study.record.environment import environment
from gradwright.study.record.study import FINISHED

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results") / "formats_quality"
PAGE, MARK = ROOT / "docs" / "memory.md", "formats quality"
TASKS = ("stdlib-gpt", "digits-mlp", "digits-vae", "zipf-noise")
OPTIMIZERS: dict[str, Any] = {
    "AdamW": gradwright.AdamW,
    "Lion": gradwright.Lion,
    "Muon": gradwright.Muon,
    "ScheduleFreeAdamW": gradwright.ScheduleFreeAdamW,
    "Adafactor with momentum": gradwright.Adafactor.bind(momentum=0.9),
    "SOAP": gradwright.SOAP,
}
FLOAT32, EXACT, FEW, STATE = "float32", "bfloat16, exact", "bfloat16, 8 bits and split24", "float32, 8 bits"
HOLDINGS: dict[str, dict[str, str]] = {
    FLOAT32: {"precision": "fp32", "state": "float32"},
    STATE: {"precision": "fp32", "state": "8bit"},
    EXACT: {"precision": "bf16", "state": "float32", "weights": "split32"},
    FEW: {"precision": "bf16", "state": "8bit", "weights": "split24"},
}
MEASURES = {"loss": "Final loss", "best": "Lowest loss of twenty evaluations"}
"""What is compared: where a model overfits, the final loss of two runs that differ by one rounding is far apart."""
TABLES = (
    ("loss", FEW, FLOAT32),
    ("loss", FEW, EXACT),
    ("loss", STATE, FLOAT32),
    ("best", FEW, FLOAT32),
    ("best", STATE, FLOAT32),
)
"""What is compared with what."""
BAR = 0.1
"""Per cent by which a final loss may be above that of float32."""


class Key(NamedTuple):
    """What one run is."""

    task: str
    optimizer: str
    holding: str
    seed: int

    @property
    def path(self) -> Path:
        words = (self.task, self.optimizer, self.holding)
        return RESULTS / ("-".join(word.replace(",", "").replace(" ", "_") for word in words) + f"-{self.seed}.json")


def final_loss(key: Key) -> dict[str, Any]:
    """Take one run; ``loss`` and ``best`` are infinite where it did not finish."""
    study = compare(
        key.task, {key.optimizer: OPTIMIZERS[key.optimizer]}, seeds=[key.seed], evaluations=20, threads=1,
        progress=False, **HOLDINGS[key.holding],
    )  # fmt: skip
    (run,) = study.runs
    metric = study.tasks[0].metric.name
    values = [point.metrics[metric] for point in run.points] if run.status == FINISHED else [math.inf]
    found = {**key._asdict(), "metric": metric, "loss": values[-1], "best": min(values)}
    return {**found, "status": run.status, "steps": run.steps, "environment": environment()}


def measure(keys: Iterable[Key]) -> None:
    """Take the runs that are not stored yet."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for key in keys:
        if not key.path.is_file():
            found = final_loss(key)
            write(key.path, json.dumps(found, indent=1) + "\n")
            print(f"{key.task}, {key.optimizer}, {key.holding}, seed {key.seed}: {found['loss']:.6g}", flush=True)


def stored(measured: str) -> dict[Key, float]:
    """What is known, of one measure."""
    rows = (json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json")))
    return {Key(row["task"], row["optimizer"], row["holding"], row["seed"]): row[measured] for row in rows}


class Cell(NamedTuple):
    """How much a holding loses beside another one, in per cent of the loss, over seeds."""

    task: str
    optimizer: str
    mean: float
    error: float
    seeds: int

    def __str__(self) -> str:
        spread = f" ± {self.error:.2f}" if math.isfinite(self.error) else ""
        return f"{self.mean:+.2f}{spread}" if math.isfinite(self.mean) else "diverged"


def cells(losses: Mapping[Key, float], held: str, beside: str) -> Iterator[Cell]:
    """Every task and optimizer with both holdings at a seed; differences are those of equal seeds."""
    for task in TASKS:
        for optimizer in OPTIMIZERS:
            seeds = [key.seed for key in losses if key[:3] == (task, optimizer, held)]
            pairs = [
                (losses[Key(task, optimizer, held, s)], losses.get(Key(task, optimizer, beside, s))) for s in seeds
            ]
            worse = [100 * (one - other) / abs(other) for one, other in pairs if other is not None and other < math.inf]
            if worse:
                known = len(worse) > 1 and max(worse) < math.inf
                error = stdev(worse) / math.sqrt(len(worse)) if known else math.nan
                yield Cell(task, optimizer, fmean(worse), error, len(worse))


def table(measured: str, held: str, beside: str, losses: Mapping[Key, float]) -> list[str]:
    """Per cent by which losses of one holding are above those of another, with the worst; empty where none is known."""
    found = {(cell.task, cell.optimizer): cell for cell in cells(losses, held, beside)}
    if not found:
        return []
    worst, count = max(found.values(), key=lambda cell: cell.mean), max(cell.seeds for cell in found.values())
    within = sum(cell.mean <= BAR for cell in found.values())
    return [
        f"{MEASURES[measured]} of **{held}** above that of **{beside}**, per cent (mean ± standard error, {count} "
        f"{'seed' if count == 1 else 'seeds'}):",
        "",
        "| | " + " | ".join(TASKS) + " |",
        "|---|" + "---|" * len(TASKS),
        *(_row(optimizer, [found.get((task, optimizer)) for task in TASKS]) for optimizer in OPTIMIZERS),
        "",
        f"Worst: {worst.optimizer} on {worst.task}, {worst}. {within} of {len(found)} are at most {BAR} % above.",
        "",
    ]


def tables() -> str:
    """All of them, from what is stored."""
    return "\n".join(line for what, *pair in TABLES for line in table(what, *pair, stored(what))).strip()


def _row(optimizer: str, found: list[Cell | None]) -> str:
    return f"| {optimizer} | " + " | ".join("" if cell is None else str(cell) for cell in found) + " |"


def document() -> None:
    """Write the table into its page."""
    if made := tables():
        PAGE.write_text(between_marks(PAGE.read_text(), MARK, f"\n{made}\n\n"))


def asked(arguments: argparse.Namespace) -> Iterator[Key]:
    """The runs that are asked for, seed by seed, so that a study that is stopped has whole seeds.

    Raises:
        SystemExit: a task, an optimizer or a holding that there is not; names those there are.
    """
    chosen = []
    for name, known in (("tasks", TASKS), ("optimizers", tuple(OPTIMIZERS)), ("holdings", tuple(HOLDINGS))):
        given = getattr(arguments, name)
        words = (
            known if given is None else tuple(word.strip() for word in given.split(";" if name == "holdings" else ","))
        )
        if strange := [word for word in words if word not in known]:
            raise SystemExit(f"--{name} {strange[0]!r} is none of {'; '.join(known)}")
        chosen.append(words)
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for task in chosen[0]:
            for optimizer in chosen[1]:
                yield from (Key(task, optimizer, holding, seed) for holding in chosen[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "table", "document"))
    parser.add_argument("--tasks", help="with commas between; all")
    parser.add_argument("--optimizers", help="with commas between; all")
    parser.add_argument("--holdings", help="with semicolons between; all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    assert set(TASKS) <= set(tasks.names())
    if arguments.what == "measure":
        measure(asked(arguments))
    elif arguments.what == "table":
        print(tables())
    else:
        document()


if __name__ == "__main__":
    main()
