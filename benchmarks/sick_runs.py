"""How often the diagnosis names what is wrong with small training runs, and how often it warns of healthy ones.

python -m benchmarks.sick_runs                      # the runs that set the thresholds
python -m benchmarks.sick_runs --held-out           # other faults, other seeds
python -m benchmarks.sick_runs --only LABEL_NOISE --show
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.sick import cases
from benchmarks.sick.faults import FAULTS
from benchmarks.sick.held_out import HELD_OUT_FAULTS
from benchmarks.sick.setup import Case, Result, run

RESULTS = Path(__file__).with_name("results")
SETTING, HELD_OUT = (0, 1), (1000, 1001)
"""Seeds of the runs that set thresholds, and of those that did not."""


def chosen(held_out: bool, seeds: Sequence[int] | None = None) -> list[Case]:
    """The cases of one half."""
    seeds = seeds or (HELD_OUT if held_out else SETTING)
    faults = FAULTS
    if held_out:
        faults = [*HELD_OUT_FAULTS, *FAULTS]
    return [*cases.sick(faults, seeds), *cases.healthy(seeds), *cases.decoys(seeds[:1])]


def table(results: Sequence[Result]) -> str:
    """Hit rates by cause, and false warnings."""
    by_cause: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_cause[result.case.cause].append(result)
    well = by_cause.pop("", [])
    lines = ["| cause | runs | first | first two | found |", "|---|---|---|---|---|"]
    sick = [result for found in by_cause.values() for result in found]
    for cause, found in [
        *sorted(by_cause.items()),
        ("**strong**", [r for r in sick if not r.case.mild]),
        ("**mild**", [r for r in sick if r.case.mild]),
        ("**all**", sick),
    ]:
        if found:
            lines.append(f"| {cause} | {len(found)} | " + " | ".join(_share(found, at) for at in (1, 2, 99)) + " |")
    for name, group in (
        ("healthy", [r for r in well if r.case.name.startswith("healthy")]),
        ("decoys", [r for r in well if r.case.name.startswith("decoy")]),
    ):
        if group:
            warned = sum(result.warned for result in group)
            lines.append(f"\n{name}: {len(group)} runs, {warned} with a warning ({100 * warned / len(group):.0f} %)")
    return "\n".join(lines)


def _share(found: Sequence[Result], at: int) -> str:
    return f"{100 * sum(0 < result.place <= at for result in found) / len(found):.0f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--held-out", action="store_true", help="faults and seeds that set no threshold")
    parser.add_argument("--only", default="", help="cases with this in their name or cause; 'healthy' and 'decoy' too")
    parser.add_argument("--seeds", default="", help="such as 3,4,5")
    parser.add_argument("--show", action="store_true", help="print the findings of every run")
    parser.add_argument("--records", default="", help="a folder of records: runs that have one there are not trained")
    parser.add_argument("--part", default="0/1", help="such as 1/2: every second case, from the second on")
    parser.add_argument("--save", default="", help="write each run's result to this JSON file")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler")
    seeds = tuple(int(seed) for seed in asked.seeds.split(",") if seed)
    todo = [c for c in chosen(asked.held_out, seeds) if asked.only in c.name or asked.only in c.cause]
    which, of = map(int, asked.part.split("/"))
    todo = todo[which::of]
    results, began = [], time.time()
    for case in todo:
        results.append(result := run(case, Path(asked.records) if asked.records else None))
        wrong = result.warned if not case.cause else result.place != 1
        if wrong or asked.show:
            told = ", ".join(f"{f.cause.name}({f.severity}, {f.confidence:.2f})" for f in result.findings) or "nothing"
            print(f"{case.cause or 'healthy'} [{case.seed}] {case.name}: {told}", flush=True)
        if asked.show:
            for finding in result.findings:
                print("   ", finding.evidence)
    print(f"\n{table(results)}\n\n{len(results)} runs in {time.time() - began:.0f} s")
    if asked.save:
        rows = [{"case": r.case.name, "cause": r.case.cause, "seed": r.case.seed, "causes": r.causes} for r in results]
        Path(asked.save).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
