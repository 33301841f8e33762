"""How good are the suggestions of the learning rate finder, where a search has found the best rate?

    python benchmarks/find_lr.py                        # every task with a stored reference, three seeds, minutes
    python benchmarks/find_lr.py --tasks siren --picture .   # with the curves as pictures

For each task: the rate that ``find_lr`` suggests to AdamW, the best rates of the search (at a constant rate, and over
all schedules), and the regret of the searched cell at a constant rate whose rate is nearest to the suggestion, beside
that of the best such cell and that of torch's default.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from untuned.tables import Table, percent

from gradwright.study import find_lr
from gradwright.study.record.environment import environment
from gradwright.study.references.table import RULE, Cell, Reference, reference, stored_tasks

DEFAULT = 1e-3
RESULTS = Path(__file__).with_name("results") / "find_lr.json"


@dataclass(frozen=True)
class Finding:
    """What the finder said of one task.

    Attributes:
        task: its name.
        suggestions: for each seed.
        best: the best rate of the search at a constant rate.
        tuned: the best rate over all schedules.
        regret: of the cell nearest to the suggestions, the mean over seeds.
        least: of the best cell at a constant rate.
        default: of torch's default.
    """

    task: str
    suggestions: tuple[float, ...]
    best: float
    tuned: float
    regret: float
    least: float
    default: float

    @property
    def decades(self) -> float:
        """How far the suggestions lie above the best constant rate, in decades; the median."""
        return statistics.median(math.log10(each / self.best) for each in self.suggestions)


def find(task: str, seeds: Sequence[int], pictures: Path | None) -> Finding:
    against = reference(task)
    if against is None:
        raise ValueError(f"there is no stored reference of {task!r}: name some of {', '.join(stored_tasks())}")
    searches = [find_lr(task, RULE, seed=seed) for seed in seeds]
    if pictures is not None:
        searches[0].save(pictures / f"find_lr_{task}.svg")
    constant = [cell for cell in against.grid if cell.schedule == "constant"]
    found = tuple(search.suggestion for search in searches)
    return Finding(
        task,
        found,
        min(constant, key=lambda cell: cell.mean).lr,
        against.chosen.lr,
        statistics.fmean(regret(nearest(constant, rate), against) for rate in found),
        min(regret(cell, against) for cell in constant),
        regret(nearest(constant, DEFAULT), against),
    )


def nearest(cells: Sequence[Cell], rate: float) -> Cell:
    return min(cells, key=lambda cell: abs(math.log(cell.lr / rate)))


def regret(cell: Cell, against: Reference) -> float:
    return statistics.fmean(map(against.regret, cell.ends))


def table(findings: Sequence[Finding]) -> Table:
    head = ("", "suggested", "best at a constant rate", "best of all", "regret there", "at best", "at 1e-3")
    rows = [
        (
            each.task,
            f"{min(each.suggestions):.2g} to {max(each.suggestions):.2g}",
            f"{each.best:g}",
            f"{each.tuned:g}",
            *map(percent, (each.regret, each.least, each.default)),
        )
        for each in findings
    ]
    means = [statistics.fmean(getattr(each, name) for each in findings) for name in ("regret", "least", "default")]
    rows.append(("mean", "", "", "", *map(percent, means)))
    return Table("`find_lr` for AdamW beside the search", head, tuple(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(stored_tasks()))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="a folder for the curves of the first seed")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    findings = []
    for task in given.tasks.split(","):
        findings.append(find(task, range(given.seeds), given.picture))
        print(f"{task:22} {findings[-1].decades:+.2f} decades from the best constant rate", flush=True)
    print(f"\n{table(findings).markdown()}")
    content = {"environment": environment(), "findings": [asdict(each) for each in findings]}
    given.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
