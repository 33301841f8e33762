"""The 27 nonlinear problems of the NIST Statistical Reference Datasets, with their certified answers.

Data, starts and certified values are those of the files at https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml,
a work of the United States government and in the public domain; ``strd.json`` holds their numbers with all digits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


def _misra1a(x, a, b):
    return a * (1 - torch.exp(-b * x))


def _chwirut(x, a, b, c):
    return torch.exp(-a * x) / (b + c * x)


def _lanczos(x, a, b, c, d, e, f):
    return a * torch.exp(-b * x) + c * torch.exp(-d * x) + e * torch.exp(-f * x)


def _gauss(x, a, b, c, d, e, f, g, h):
    return a * torch.exp(-b * x) + c * torch.exp(-(((x - d) / e) ** 2)) + f * torch.exp(-(((x - g) / h) ** 2))


def _enso(x, a, b, c, d, e, f, g, h, i):
    turn = 2 * math.pi * x
    year = b * torch.cos(turn / 12) + c * torch.sin(turn / 12)
    return (
        a + year + e * torch.cos(turn / d) + f * torch.sin(turn / d) + h * torch.cos(turn / g) + i * torch.sin(turn / g)
    )


def _cubic(x, a, b, c, d, e, f, g):
    return (a + b * x + c * x**2 + d * x**3) / (1 + e * x + f * x**2 + g * x**3)


MODELS: dict[str, Callable[..., Tensor]] = {
    "Bennett5": lambda x, a, b, c: a * (b + x) ** (-1 / c),
    "BoxBOD": _misra1a,
    "Chwirut1": _chwirut,
    "Chwirut2": _chwirut,
    "DanWood": lambda x, a, b: a * x**b,
    "ENSO": _enso,
    "Eckerle4": lambda x, a, b, c: a / b * torch.exp(-0.5 * ((x - c) / b) ** 2),
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "Gauss3": _gauss,
    "Hahn1": _cubic,
    "Kirby2": lambda x, a, b, c, d, e: (a + b * x + c * x**2) / (1 + d * x + e * x**2),
    "Lanczos1": _lanczos,
    "Lanczos2": _lanczos,
    "Lanczos3": _lanczos,
    "MGH09": lambda x, a, b, c, d: a * (x**2 + x * b) / (x**2 + x * c + d),
    "MGH10": lambda x, a, b, c: a * torch.exp(b / (x + c)),
    "MGH17": lambda x, a, b, c, d, e: a + b * torch.exp(-x * d) + c * torch.exp(-x * e),
    "Misra1a": _misra1a,
    "Misra1b": lambda x, a, b: a * (1 - (1 + b * x / 2) ** -2),
    "Misra1c": lambda x, a, b: a * (1 - (1 + 2 * b * x) ** -0.5),
    "Misra1d": lambda x, a, b: a * b * x / (1 + b * x),
    "Nelson": lambda x, a, b, c: a - b * x[:, 0] * torch.exp(-c * x[:, 1]),
    "Rat42": lambda x, a, b, c: a / (1 + torch.exp(b - c * x)),
    "Rat43": lambda x, a, b, c, d: a / (1 + torch.exp(b - c * x)) ** (1 / d),
    "Roszman1": lambda x, a, b, c, d: a - b * x - torch.atan(c / (x - d)) / math.pi,
    "Thurber": _cubic,
}


@dataclass(frozen=True)
class Problem:
    """Data, both starts (the first is the hard one), and what NIST certifies."""

    name: str
    x: Tensor
    y: Tensor
    start1: Tensor
    start2: Tensor
    certified: Tensor
    deviation: Tensor
    rss: float

    def residuals(self, b: Tensor) -> Tensor:
        return MODELS[self.name](self.x.to(b), *b) - self.y.to(b)


def problem(name: str) -> Problem:
    """One of the problems by name; Nelson's model is of log y."""
    row = json.loads((Path(__file__).parent / "strd.json").read_text())[name]
    numbers = {key: torch.tensor(value, dtype=torch.float64) for key, value in row.items() if key != "rss"}
    if name == "Nelson":
        numbers["y"] = numbers["y"].log()
    return Problem(name, rss=row["rss"], **numbers)
