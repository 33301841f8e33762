"""BatchResult: what became of each problem of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.solvers.outcome.fields import Fields
from gradwright.solvers.outcome.status import Status


@dataclass(frozen=True)
class BatchResult(Fields):
    """What ``minimize_batch`` found, one entry per problem.

    Attributes:
        x: (B, n) in the shape of x0; fun: (B,); jac: like x.
        status: one :class:`Status` per problem.
        nit: (B,), iterations of each problem.
        nfev: (B,), evaluations of each problem.
        calls: how often ``fun`` was called.
        rows: problems evaluated in all of these calls.
    """

    derived: ClassVar[tuple[str, ...]] = ("success", "message")

    x: Tensor
    fun: Tensor
    jac: Tensor
    status: tuple[Status, ...]
    nit: Tensor
    nfev: Tensor
    calls: int
    rows: int

    @property
    def success(self) -> Tensor:
        """(B,), which of them converged."""
        return torch.tensor([status.success for status in self.status], dtype=torch.bool, device=self.x.device)

    @property
    def message(self) -> str:
        """How many ended in which way."""
        counts = {status: self.status.count(status) for status in dict.fromkeys(self.status)}
        return " ".join(f"{count} of {len(self.status)}: {status.sentence}" for status, count in counts.items())

    def __str__(self) -> str:
        converged, most = int(self.success.sum()), int(self.nit.max()) if len(self.nit) else 0
        return (
            f"{converged} of {len(self.status)} converged after at most {most} iterations each. {self.message}".strip()
        )
