"""Job: one tensor's share of an optimizer step, as the optimizer hands it to an engine."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from torch import Tensor

from gradwright.core import Chain, ParamSpec, Total

Progress = Generator[Total, Any, dict[str, Tensor]]
"""What an engine runs: it yields totals, receives their sums, writes at its end, and returns new shared values."""


class Job(NamedTuple):
    """One tensor to step. Everything is checked before a job is made, so an engine need not doubt it."""

    param: Tensor
    grad: Tensor
    state: dict[str, Any]
    chain: Chain
    spec: ParamSpec
    step: float
    clock: float
    loss: Tensor | None
    maximize: bool
