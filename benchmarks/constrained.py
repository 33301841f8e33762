"""How many problems of Hock and Schittkowski our constrained solvers solve, beside SciPy's SLSQP and IPOPT (casadi).

python benchmarks/constrained.py --out benchmarks/results

Problems whose name has an even CRC-32 are there to develop on. The odd half is for judging, and runs only where
``--judge`` says that nothing will be tuned on it. What is done is kept in a file and not run again.

A problem is solved where the violation is at most 1e-6 and f within 1e-6 · max(1, |best|) of the lowest feasible value
that any contender found. A success is false where the violation is larger than 1e-5, or no multipliers make the point
stationary to 1e-4.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

FEASIBLE, CLOSE, STATIONARY = 1e-6, 1e-6, 1e-4

Runs = dict[str, dict[str, dict[str, Any]]]


def main() -> None:
    given = arguments()

    import torch
    from hock_schittkowski.contenders import CONTENDERS, run
    from hock_schittkowski.problems import load, names
    from solvers.problems import half

    torch.set_num_threads(1)
    halves = {"even", "odd"} if given.half == "both" else {given.half}
    known = names(given.half)
    unknown = [name for name in given.problem if name not in known]
    if unknown:
        raise SystemExit(f"{unknown[0]} is not in the {given.half} half; it has {' '.join(known)}")
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"constrained_{given.half}.json"
    runs: Runs = json.loads(path.read_text()) if path.exists() else {}
    for name in given.problem or known:
        todo = [each for each in CONTENDERS if each in given.again or each not in runs.get(name, {})]
        if todo:
            problem = load(name)
            problem.warm()
            for each in todo:
                runs.setdefault(name, {})[each] = run(problem, CONTENDERS[each])
            path.write_text(json.dumps(runs, indent=1) + "\n")
    strangers = [name for name in runs if half(name) not in halves]
    if strangers:
        raise SystemExit(f"{path} holds {strangers[0]}, which is not in the {given.half} half; remove the file")
    report(runs, list(CONTENDERS), given.half)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count what is solved of Hock and Schittkowski (sif2jax, jax, scipy).")
    parser.add_argument("--half", choices=("even", "odd", "both"), default="even", help="of the names, by their CRC-32")
    parser.add_argument("--judge", action="store_true", help="allow the odd half: for judging, never for tuning")
    parser.add_argument(
        "--again", action="append", default=[], metavar="NAME", help="contenders to run again; repeatable"
    )
    parser.add_argument("--problem", action="append", default=[], metavar="NAME", help="problems; repeatable")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    given = parser.parse_args()
    if given.half != "even" and not given.judge:
        parser.error(f"--half {given.half} is for judging only: add --judge, and tune nothing on what it shows")
    return given


def report(runs: Runs, contenders: list[str], half: str) -> None:
    """One line per contender, then what each left unsolved."""
    best = {
        name: min((one["value"] for one in each.values() if one["violation"] <= FEASIBLE), default=float("nan"))
        for name, each in runs.items()
    }

    def solved(name: str, one: dict[str, Any]) -> bool:
        return one["violation"] <= FEASIBLE and one["value"] <= best[name] + CLOSE * max(1.0, abs(best[name]))

    def false(one: dict[str, Any]) -> bool:
        return one["success"] and not (one["violation"] <= 10 * FEASIBLE and one["stationarity"] <= STATIONARY)

    print(f"Hock and Schittkowski with constraints, {half} half (CRC-32 of every name checked), {len(runs)} problems")
    print(f"{'contender':<24}{'solved':>10}{'false':>8}{'iterations':>12}{'evaluations':>13}")
    for contender in contenders:
        mine = {name: each[contender] for name, each in runs.items() if contender in each}
        won = [one for name, one in mine.items() if solved(name, one)]
        middle = [median([one[key] for one in won]) if won else 0 for key in ("iterations", "evaluations")]
        print(
            f"{contender:<24}{len(won):>6} / {len(mine)}{sum(map(false, mine.values())):>6}"
            f"{middle[0]:>12.0f}{middle[1]:>13.0f}"
        )
    for contender in contenders:
        for name, each in runs.items():
            one = each.get(contender)
            if one and (not solved(name, one) or false(one)):
                print(
                    f"  {contender:<22}{name:<10}f = {one['value']:.8g} (best {best[name]:.8g}), "
                    f"violation {one['violation']:.1e}, stationarity {one['stationarity']:.1e}, "
                    f"{one['iterations']} iterations, {one['status']}"
                )


if __name__ == "__main__":
    main()
