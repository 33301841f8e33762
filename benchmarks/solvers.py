"""How many problems our solvers solve beside SciPy's, at what cost, and whether that meets the bars.

python benchmarks/solvers.py                     # everything on the even half: the table, then pass or miss
python benchmarks/solvers.py --kind bounded --again l-bfgs-b

Problems of CUTEst are counted in evaluations and Hessian products, not in seconds. One is solved where f is within
1e-6 · max(1, |best|), 1e-4 in float32, of the lowest value of all runs. What is done is kept in --out and not run
again; a problem that takes longer than --limit is given up with its process. Names with an even CRC-32 are to develop
on, odd ones to judge by.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

DTYPES = ("float64", "float32")
CUTEST = ("unconstrained", "bounded")
KINDS = (*CUTEST, "fits", "product")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count what solvers solve (needs sif2jax, jax and scipy).")
    parser.add_argument("--kind", choices=(*KINDS, "all"), default="all")
    parser.add_argument("--half", choices=("even", "odd", "both"), default="even", help="of the names, by their CRC-32")
    parser.add_argument("--dtype", choices=(*DTYPES, "both"), default="both")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="contenders; repeatable")
    parser.add_argument("--again", action="append", default=[], metavar="NAME", help="contenders to run again")
    parser.add_argument("--problem", action="append", default=[], metavar="NAME", help="problems; repeatable")
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds for one problem, all contenders together")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    return parser.parse_args()


def cutest(kind: str, given: argparse.Namespace) -> tuple[list[dict[str, Any]], list[Any]]:
    """The rows of one set, and its bars."""
    from solvers import bars
    from solvers.contenders import CONTENDERS
    from solvers.problems import half, names
    from solvers.runs import complete, forget, read
    from solvers.table import best_values, summary

    path = given.out / f"solvers_{kind}.jsonl"
    dtypes = DTYPES if given.dtype == "both" else (given.dtype,)
    known = CONTENDERS[kind]
    forget(path, given.again, dtypes)
    wanted = [name for name in given.only or given.again or known if name in known]
    problems = [name for name in names(kind, given.half) if not given.problem or name in given.problem]
    for dtype in dtypes:
        complete(path, kind, dtype, problems, wanted, given.limit)
    runs = [run for run in read(path) if not run.get("skipped") and given.half in ("both", half(run["problem"]))]
    best = best_values(runs)
    rows = summary(runs, best, list(known))
    return rows, bars.unconstrained(rows, runs, best) if kind == "unconstrained" else bars.bounded(rows)


def measured(kind: str, given: argparse.Namespace) -> tuple[list[dict[str, Any]], list[Any]]:
    """The rows of one kind of measurement, and its bars."""
    from solvers import bars

    if kind in CUTEST:
        return cutest(kind, given)
    if kind == "fits":
        from solvers import fits

        rows = fits.rows()
        return rows, bars.fits(rows)
    from solvers import product_cost

    rows = product_cost.rows()
    return rows, bars.product(rows)


def main() -> None:
    given = arguments()

    import torch
    from solvers import bars
    from solvers.table import text
    from timing import hardware

    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"hardware": hardware("cpu"), "half": given.half}
    promises: list[Any] = []
    for kind in KINDS if given.kind == "all" else (given.kind,):
        rows, kept = measured(kind, given)
        promises += kept
        report[kind] = rows
        print(f"{kind}{f', {given.half} half' if kind in CUTEST else ''}\n\n{text(rows)}\n", flush=True)
    report["bars"] = [{**asdict(bar), "verdict": bar.verdict} for bar in promises]
    print(bars.text(promises))
    (given.out / f"solvers_{given.kind}_{given.half}.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
