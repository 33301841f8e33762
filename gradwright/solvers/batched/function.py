"""RowFunction: the user's function on some rows of the batch, with gradients, counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class RowFunction:
    """``fun(x, *args)`` ↦ one value per row. Rows do not depend on each other, so ∇Σ f_b holds every gradient.

    Args:
        fun: the user's.
        shape: of one row of x.
        args: tensors with a row for each problem.

    Attributes:
        calls: how often fun was called. rows: rows in all of these calls.
    """

    def __init__(self, fun: Callable[..., Tensor], shape: torch.Size, args: Sequence[Tensor]) -> None:
        self.fun, self.shape, self.args = fun, shape, tuple(args)
        self.calls = self.rows = 0

    def keep(self, order: Tensor) -> None:
        """Forget the data of other problems."""
        self.args = tuple(each[order] for each in self.args)

    def __call__(self, x: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Values and gradients at x (b, n), the rows of which belong to the problems ``rows``; None for all of them."""
        self.calls += 1
        self.rows += len(x)
        leaf = x.detach().requires_grad_()
        args = self.args if rows is None else tuple(each[rows] for each in self.args)
        with torch.enable_grad():
            f = self.fun(leaf.view(len(x), *self.shape), *args)
            if not isinstance(f, Tensor) or f.shape != (len(x),):
                found = tuple(f.shape) if isinstance(f, Tensor) else type(f).__name__
                raise ValueError(f"fun returned {found} for {len(x)} rows; return one value per row, shape ({len(x)},)")
            if not f.requires_grad:
                raise ValueError(
                    "fun's values do not depend on x through differentiable operations; compute them with torch"
                )
            (g,) = torch.autograd.grad(f.sum(), leaf)
        return f.detach().to(x.dtype), g

    def check_rows(self, x: Tensor, together: Tensor) -> None:
        """Evaluate the first row alone.

        Raises:
            ValueError: its value differs from the one among the others, so rows are not independent.
        """
        alone = self(x[:1], torch.zeros(1, dtype=torch.long, device=x.device))[0]
        size = torch.maximum(together[:1].abs(), alone.abs())
        if bool((alone - together[:1]).abs() > 1e4 * torch.finfo(x.dtype).eps * size):
            raise ValueError(
                f"fun gives {float(alone):.6g} for row 0 alone and {float(together[0]):.6g} among the others: rows "
                f"must not influence each other (a mean over the batch, batch normalisation), and fun must be fixed"
            )
