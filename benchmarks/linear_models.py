"""Linear models beside scikit-learn's: seconds to a proven relative gap, on seeded tasks.

    python benchmarks/linear_models.py                                       # every task, a few minutes
    python benchmarks/linear_models.py --tasks dense,scaled --repeat 5
    python benchmarks/linear_models.py --dtype float64 --gap 1e-12
    python benchmarks/linear_models.py --tasks reported,alike,digits,dense,scaled --plain

A fit counts only if its own stop is within the gap of the optimum, which is computed first in float64 and certified to
a tenth of the gap or less. scikit-learn's side is the fastest of a list of its solvers, each at the loosest tolerance
that reaches the gap; ours and it then take turns, and the least of the rounds counts: seconds of the clock for the
verdict, and seconds of the processors beside them, which say more on a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import torch
from linear_tasks import FITS, PATHS, PLAIN, Task
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.linear_model import LogisticRegressionCV as TheirsCV

from gradwright.linear_model import LogisticRegression, LogisticRegressionCV
from gradwright.linear_model.data import Data, compiled
from gradwright.linear_model.losses import Logistic, Softmax
from gradwright.linear_model.objective import Design, Objective

LIMIT = 25.0
"""Seconds of one of scikit-learn's solvers after which no tighter tolerance of it is tried."""
PAUSE = 0.1
"""Seconds before each timed call: threads of the other side wait for work in loops before they go to sleep."""
TOLERANCES = {"liblinear": (1e-2, 1e-3, 1e-4, 1e-6), "": (1e-3, 1e-4, 1e-6, 1e-8, 1e-10)}
CS = np.logspace(-4, 4, 10)


def ours(task: Task, tol: float) -> list[Any]:
    """Our fits of every set."""
    model = LogisticRegression(task.C, l1_ratio=task.l1_ratio, fit_intercept=task.intercept, tol=tol)
    return [sklearn.clone(model).fit(X, y) for X, y in task.sets]


def theirs(task: Task, solver: str, tol: float) -> list[Any]:
    """scikit-learn's fits of every set; where it only warns that it did not converge, the gap will tell."""
    options: dict[str, Any] = {"C": task.C, "l1_ratio": task.l1_ratio, "fit_intercept": task.intercept}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [Theirs(solver=solver, tol=tol, max_iter=5000, **options).fit(X, y) for X, y in task.sets]


def values(task: Task, models: list[Any]) -> np.ndarray:
    """Mean loss plus penalty of the coefficients of every set, in float64."""
    out = []
    for (X, y), model in zip(task.sets, models):
        W, b = np.asarray(model.coef_, np.float64).T, np.zeros(len(model.coef_)) + model.intercept_
        K, strength = W.shape[1], 1 / (task.C * len(y))
        l2 = np.full(len(W), strength * (1 - task.l1_ratio))
        loss = Logistic() if K == 1 else Softmax(K)
        F = Objective(Design(Data.of(X), task.intercept), loss, y.astype(np.float64), None, None, l2, K)
        F.use(np.float64)
        out.append(F.evaluate(F.design.theta(W, b))[0] + strength * task.l1_ratio * np.abs(W).sum())
    return np.array(out)


def cast(task: Task, kind: Any) -> Task:
    """The task with X of another type."""
    return task._replace(sets=[(X.astype(kind), y) for X, y in task.sets])


def best_rival(task: Task, best: np.ndarray, gap: float) -> tuple[Callable[[], Any] | None, str]:
    """scikit-learn's fastest way to the gap, to be timed again, and what it is."""
    least, answer = np.inf, (None, f"none of {', '.join(dict(task.rivals))} reaches the gap")
    for solver, kind in task.rivals:
        typed, spent = cast(task, kind), 0.0
        for tol in TOLERANCES.get(solver, TOLERANCES[""]):
            began = time.perf_counter()
            models = theirs(typed, solver, tol)
            seconds = time.perf_counter() - began
            spent += seconds
            if np.all(values(task, models) - best <= gap * best):
                if seconds < least:
                    again = lambda typed=typed, solver=solver, tol=tol: theirs(typed, solver, tol)  # noqa: E731
                    least, answer = seconds, (again, f"{solver} {kind} tol {tol:g}")
                break
            if spent > 2 * least or spent > LIMIT:
                break
    return answer


def turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The least seconds of each call by the clock and, as ``NAME_cpu``, of all processors; calls take turns."""
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(PAUSE)
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            for key, seconds in ((name, time.perf_counter() - wall), (name + "_cpu", time.process_time() - cpu)):
                least[key] = min(least.get(key, np.inf), seconds)
    return least


def peak(call: Callable[[], Any]) -> float:
    """Megabytes that numpy's arrays take at most during a call."""
    tracemalloc.start()
    call()
    answer = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return answer


def compare(task: Task, gap: float, repeat: int, alone: bool) -> dict[str, Any]:
    """One row of results for single fits."""
    exact = ours(cast(task, np.float64), gap / 10 if gap > 1e-12 else 1e-13)
    best = np.array([model.result_.objective for model in exact])
    models = ours(task, gap)
    reached = float(np.max((values(task, models) - best) / best))
    bytes_of = [X.data.nbytes + X.indices.nbytes if hasattr(X, "indptr") else X.nbytes for X, _ in task.sets]
    rows = [
        len(y) * (1 if model.coef_.shape[0] == 1 else model.coef_.shape[0]) for (_, y), model in zip(task.sets, models)
    ]
    row: dict[str, Any] = {
        "gap": reached,
        "gap_bound": max(model.result_.relative_gap_bound for model in models),
        "passes": sum(model.result_.evaluations for model in models),
        "memory_MB": peak(lambda: ours(task, gap)),
        "memory_bar_MB": max(0.1 * size + 12 * nK for size, nK in zip(bytes_of, rows)) / 1e6,
        "X_MB": max(bytes_of) / 1e6,
        "right": reached <= gap,
    }
    if task.l1_ratio:
        row["nonzero"], row["nonzero_exact"] = (int(np.count_nonzero(m[0].coef_)) for m in (models, exact))
        row["right"] &= abs(row["nonzero"] - row["nonzero_exact"]) <= 0.002 * row["nonzero_exact"]
    calls: dict[str, Callable[[], Any]] = {"ours": lambda: ours(task, gap)}
    if not alone:
        again, row["rival"] = best_rival(task, best, gap)
        if again is not None:
            calls["theirs"] = again
    row |= turns(calls, repeat)
    return row


def compare_paths(task: Task, gap: float, repeat: int, alone: bool) -> dict[str, Any]:
    """One row of results for 10 values of C by 5 folds."""
    ((X, y),) = task.sets

    def own(X: Any = X) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LogisticRegressionCV(Cs=CS, cv=5, tol=gap).fit(X, y)

    def other() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = TheirsCV(
                Cs=CS, cv=5, solver="newton-cholesky", scoring="neg_log_loss", l1_ratios=(0.0,),
                use_legacy_attributes=False,
            )  # fmt: skip
            return model.fit(X.astype(np.float64), y)

    model, exact = own(), own(X.astype(np.float64))
    row: dict[str, Any] = {
        "gap_bound": max(result.relative_gap_bound for result in model.fold_results_),
        "passes": sum(result.evaluations for result in model.fold_results_),
        "C": model.C_,
        "C_float64": exact.C_,
    }
    row["right"] = row["gap_bound"] <= gap and model.C_ == exact.C_
    calls: dict[str, Callable[[], Any]] = {"ours": own}
    if not alone:
        calls["theirs"], row["rival"] = other, "newton-cholesky float64 tol 0.0001"
    row |= turns(calls, min(repeat, 2))
    return row


def sentence(name: str, row: dict[str, Any]) -> str:
    """One line of the table."""
    line = f"{name:12} {row['verdict']:5} ours {row['ours']:.3f} s"
    if "theirs" in row:
        line += f", scikit-learn {row['theirs']:.3f} s ({row['rival']}): {row['ratio']:.3f}, bar {row['bar']:.3f}"
        line += f" (cpu {row['ours_cpu']:.3f} and {row['theirs_cpu']:.3f} s)"
    elif "rival" in row:
        line += f", scikit-learn: {row['rival']}"
    line += f"; gap {row['gap']:.1e}, bound" if "gap" in row else "; bound"
    line += f" {row['gap_bound']:.1e}, {row['passes']} passes"
    if "nonzero" in row:
        line += f", {row['nonzero']} non-zeros (exact {row['nonzero_exact']})"
    if "C" in row:
        line += f", C {row['C']:.3g} (float64 {row['C_float64']:.3g})"
    if "memory_MB" in row:
        line += f"; {row['memory_MB']:.1f} MB beside {row['X_MB']:.1f} MB of X (bar {row['memory_bar_MB']:.1f})"
    return line


def main() -> None:
    every = {**FITS, **PATHS}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(every), help=f"of {', '.join(every)}, with commas")
    parser.add_argument("--gap", type=float, default=1e-6, help="relative gap that counts")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="of X")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of each side")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--plain", action="store_true", help="numpy only, no compiled kernels")
    parser.add_argument("--alone", action="store_true", help="do not run scikit-learn")
    parser.add_argument("--out", help="write the results to this JSON file")
    options = parser.parse_args()
    names = options.tasks.split(",")
    for name in names:
        if name not in every:
            parser.error(f"no task {name!r}; there are {', '.join(every)}")
    torch.set_num_threads(options.threads)
    facts = {
        "machine": platform.processor() or platform.machine(),
        "threads": options.threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "gap": options.gap,
        "dtype": options.dtype,
        "plain": options.plain,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
    }
    print(", ".join(f"{key} {value}" for key, value in facts.items()), flush=True)
    rows = {}
    for name in names:
        task = cast(every[name](), options.dtype)
        bar = max(task.bar, PLAIN) if options.plain else task.bar
        with compiled.using("plain" if options.plain else "auto"):
            run = compare if name in FITS else compare_paths
            row = run(task, options.gap, options.repeat, options.alone)
        row["bar"], row["ratio"] = bar, row["ours"] / row["theirs"] if "theirs" in row else None
        fast = row["ratio"] is None or row["ratio"] <= bar
        row["verdict"] = "pass" if fast and row["right"] else "MISS"
        rows[name] = row
        print(sentence(name, row), flush=True)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump({"facts": facts, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
