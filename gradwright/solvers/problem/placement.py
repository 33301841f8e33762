"""Placement: putting a flat vector into parameters, and not once more while it is still there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradwright.solvers.problem.layout import Layout


class Placement:
    """A point, and the parameters that it goes into.

    Args:
        layout: of the parameters.
        parameters: that are written.
        x: (n,), not written to by others.
    """

    _last: object = None
    """The mark of the placement that wrote last, into whatever parameters."""

    def __init__(self, layout: Layout, parameters: Sequence[Tensor], x: Tensor) -> None:
        self.layout, self.parameters, self.x = layout, parameters, x
        self._mark, self._versions = object(), [-1]

    @torch.no_grad()
    def put(self) -> None:
        """Write, without touching the version that autograd checks."""
        for parameter, part in zip(self.parameters, self.layout.split(self.x)):
            parameter.data.copy_(part)
        self._versions = [parameter._version for parameter in self.parameters]
        Placement._last = self._mark

    def again(self) -> None:
        """Write if another placement wrote since, or an operation in place that autograd knows of."""
        if Placement._last is not self._mark or self._versions != [parameter._version for parameter in self.parameters]:
            self.put()
