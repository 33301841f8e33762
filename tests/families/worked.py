"""The data of the worked numbers, and short ways to write their rows.

Gradients are given and never depend on the parameters. Two sets of data run through the tables: ``W0, v0, 1.0`` with
the gradients ``G, H, S``, printed to ten digits, and ``M2, S3`` and their like, printed to eight.
"""

from __future__ import annotations

from typing import Any

from tests.families.kinds import Worked

NAN = float("nan")

S = [0.1, -0.2, 0.3]
W0 = [[1, 2], [3, 4]]
G = [[[0.1, -0.2], [0.3, 0.4]], [[-0.2, 0.1], [0.05, -0.3]], [[0.15, 0.25], [-0.1, 0.2]]]
R0 = [[0.5, -1, 2], [1.5, 0.25, -0.75]]
RG = [
    [[0.3, -0.1, 0.2], [0.05, 0.4, -0.25]],
    [[-0.2, 0.15, 0.1], [0.3, -0.05, 0.2]],
    [[0.1, 0.2, -0.3], [-0.15, 0.25, 0.05]],
]
V0 = [1, -2]
H = [[0.5, 0.1], [-0.3, 0.2], [0.1, -0.4]]
SHRINKING = [1, 0.1, -0.1]  # makes the second moment fall, where beta2 is small
S3 = [0.5, -0.3, 0.2]
M2 = [[[0.3, -0.1], [0.2, 0.4]], [[-0.2, 0.1], [0.05, 0.3]]]


def scalar(name: str, recipe: Any, *after: float, steps: Any = S, tolerance: float = 1e-8, **knobs: Any) -> Worked:
    expected = dict(enumerate(after, start=1))
    return Worked(name, recipe, {"lr": 0.1, **knobs}, 1.0, steps, expected, tolerance=tolerance)


def matrix(name: str, recipe: Any, after: dict[int, Any], steps: Any = G, **given: Any) -> Worked:
    fields = {key: given.pop(key) for key in ("state", "role", "tolerance") if key in given}
    return Worked(name, recipe, given, W0, steps, after, **fields)


def vector(name: str, recipe: Any, after: dict[int, Any], start: Any = V0, steps: Any = H, **given: Any) -> Worked:
    fields = {key: given.pop(key) for key in ("state", "role") if key in given}
    return Worked(name, recipe, given, start, steps, after, **fields)


def eight_digits(name: str, recipe: Any, *after: float, steps: Any = S3, **knobs: Any) -> Worked:
    return scalar(name, recipe, *after, steps=steps, tolerance=1e-7, **knobs)
