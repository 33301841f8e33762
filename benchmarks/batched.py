"""Ten thousand Rosenbrock problems of ten unknowns in one call, beside a Python loop of SciPy calls.

python benchmarks/batched.py --rounds 3

Processor time of this process on one thread, both in turn in every round, because other programs disturb the clock.
SciPy's BFGS gets the gradient in closed form and stops at the same gtol; it runs on a sample, and its time is scaled
up.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
import scipy.optimize
import torch

from gradwright.solvers import minimize

PROBLEMS, UNKNOWNS, GTOL = 10_000, 10, 1e-6


def rows(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)


def value(x: np.ndarray) -> float:
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def slope(x: np.ndarray) -> np.ndarray:
    answer, rest = np.zeros_like(x), x[1:] - x[:-1] ** 2
    answer[1:] += 200 * rest
    answer[:-1] -= 400 * x[:-1] * rest + 2 * (1 - x[:-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=300, help="problems that SciPy solves in each round")
    given = parser.parse_args()
    torch.set_num_threads(1)
    starts = torch.randn(PROBLEMS, UNKNOWNS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    minimize(rows, starts[:100], batch=True)
    ratios = []
    for index in range(given.rounds):
        begin = time.process_time()
        result = minimize(rows, starts, batch=True, gtol=GTOL)
        ours = time.process_time() - begin
        begin = time.process_time()
        for x in starts[index * given.sample : (index + 1) * given.sample].numpy():
            scipy.optimize.minimize(value, x, jac=slope, method="BFGS", options={"gtol": GTOL})
        theirs = (time.process_time() - begin) * PROBLEMS / given.sample
        ratios.append(theirs / ours)
        print(
            f"batch {ours:6.2f} s ({int(result.success.sum())} converged, {result.calls} calls), "
            f"loop of SciPy's BFGS {theirs:7.1f} s: {ratios[-1]:.1f} times"
        )
    print(f"median {median(ratios):.1f} times, {torch.get_num_threads()} thread, torch {torch.__version__}")


if __name__ == "__main__":
    main()
