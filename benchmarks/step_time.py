"""How long steps take, beside torch and others: one command, a table and a JSON file.

python benchmarks/step_time.py --out benchmarks/results
python benchmarks/step_time.py --only muon --rounds 3
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import formats  # noqa: F401 (enters its suite)
import torch
from row import Row, table
from suites import SUITES, Bench
from timing import copy_bandwidth, hardware


def rows(bench: Bench) -> Iterator[Row]:
    """All rows, told one by one while they are measured."""
    for suite in SUITES:
        for row in suite(bench):
            print(f"  {row.name}: {row.verdict or 'measured'}", file=sys.stderr, flush=True)
            yield row


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the steps of optimizers beside torch and other packages.")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="rows whose name holds it; repeatable"
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often each call is timed (9); the least counts")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, help="threads of torch and of the kernels (torch's own choice)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to put step_time_DEVICE.json and .txt")
    parser.add_argument(
        "--smoke", action="store_true", help="small tensors: shows that it runs, the figures mean nothing"
    )
    return parser.parse_args()


def main() -> None:
    given = arguments()
    if given.threads:
        torch.set_num_threads(given.threads)
    bench = Bench(given.rounds, given.device, given.smoke, tuple(given.only))
    facts: dict[str, Any] = hardware(given.device)
    if given.device == "cuda":
        facts["copy_gb_per_s"] = round(copy_bandwidth("cuda") / 1e9)
    found = list(rows(bench))
    if not found:
        sys.exit(f"no row is called {' or '.join(given.only)}")
    heading = "\n".join(f"{name}: {value}" for name, value in facts.items())
    text = f"{heading}\n\n{table(found)}\n"
    print(f"\n{text}")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        stem = f"step_time_{given.device}"
        lines = [{**asdict(row), "verdict": row.verdict} for row in found]
        report = {"hardware": facts, "rounds": given.rounds, "smoke": given.smoke, "rows": lines}
        (given.out / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n")
        (given.out / f"{stem}.txt").write_text(text)


if __name__ == "__main__":
    main()
