"""The standard form of a quadratic program: equalities Ax = b and one-sided inequalities Gx ≤ h, scaled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import power_of_two


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrix times vector, per instance."""
    return (matrix @ vector[..., None])[..., 0]


def largest(vector: Tensor) -> Tensor:
    """‖v‖∞ per instance; zero for an empty vector."""
    return vector.abs().amax(-1) if vector.shape[-1] else vector.new_zeros(vector.shape[:-1])


@dataclass(frozen=True)
class Rows:
    """Where the rows of the standard form come from: indices into the stacked two-sided rows.

    Attributes:
        equal, upper, lower: indices of rows that are equalities, that have an upper bound, a lower bound, in at least
            one instance.
    """

    equal: Tensor
    upper: Tensor
    lower: Tensor


@dataclass(frozen=True)
class StandardForm:
    """B instances of: minimise ½xᵀHx + gᵀx subject to Ax = b, Gx ≤ h.

    Attributes:
        H (B, n, n), g (B, n), A (B, p, n), b (B, p), G (B, m, n), h (B, m).
        active: (B, m) rows that the instance has; the others are zero with h = 1.
        rows: where A and G were taken from.
        columns, equal_rows, rows_scale, cost: x = columns · x̂, and what the rows and the cost were multiplied by.
    """

    H: Tensor
    g: Tensor
    A: Tensor
    b: Tensor
    G: Tensor
    h: Tensor
    active: Tensor
    rows: Rows
    columns: Tensor
    equal_scale: Tensor
    row_scale: Tensor
    cost: Tensor

    def pick(self, which: Tensor) -> StandardForm:
        """Some of the instances."""
        names = ("H", "g", "A", "b", "G", "h", "active", "columns", "equal_scale", "row_scale", "cost")
        chosen = {name: getattr(self, name)[which] for name in names}
        return StandardForm(**chosen, rows=self.rows)


def standard_form(H: Tensor, g: Tensor, C: Tensor, lower: Tensor, upper: Tensor) -> StandardForm:
    """From lower ≤ Cx ≤ upper to the standard form, equilibrated.

    A row with equal sides becomes an equality: two opposite inequalities would have no interior. Rows and columns are
    scaled towards entries of size one (Ruiz), and the cost by a number per instance.

    Args:
        H: (B, n, n). g: (B, n). C: (B, k, n), all rows stacked. lower, upper: (B, k), ±inf where open.
    """
    same = lower == upper
    has_upper, has_lower = ~same & (upper < torch.inf), ~same & (lower > -torch.inf)
    rows = Rows(*(mask.any(0).nonzero()[:, 0] for mask in (same, has_upper, has_lower)))
    equal = same[:, rows.equal]
    A = C[:, rows.equal] * equal[..., None]
    b = torch.where(equal, upper[:, rows.equal], 0.0)
    active = torch.cat([has_upper[:, rows.upper], has_lower[:, rows.lower]], -1)
    G = torch.cat([C[:, rows.upper], -C[:, rows.lower]], -2) * active[..., None]
    h = torch.where(active, torch.cat([upper[:, rows.upper], -lower[:, rows.lower]], -1), 1.0)
    return _equilibrated(StandardForm(H, g, A, b, G, h, active, rows, *_ones(g, b, h)))


def _ones(g: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.ones_like(g), torch.ones_like(b), torch.ones_like(h), g.new_ones(len(g), 1)


def _equilibrated(form: StandardForm, sweeps: int = 6) -> StandardForm:
    """Scaled so that the tolerances, which are numbers, mean the same in all units of the cost, of rows and of x."""
    unit = power_of_two(torch.maximum(form.H.abs().amax((-2, -1)), largest(form.g)))[:, None]
    equal_scale, row_scale = (1 / power_of_two(_row_size(matrix)) for matrix in (form.A, form.G))
    H, A, G = form.H / unit[..., None], equal_scale[..., None] * form.A, row_scale[..., None] * form.G
    columns = torch.ones_like(form.g)
    for _ in range(sweeps):
        heights = torch.cat([H.abs(), _coupling(A), _coupling(G)], -2).amax(-2)
        by_column, by_equal, by_row = (_inverse_root(size) for size in (heights, _row_size(A), _row_size(G)))
        H = by_column[..., None] * H * by_column[:, None]
        A = by_equal[..., None] * A * by_column[:, None]
        G = by_row[..., None] * G * by_column[:, None]
        columns, equal_scale, row_scale = columns * by_column, equal_scale * by_equal, row_scale * by_row
    g, b = columns * (form.g / unit), equal_scale * form.b
    h = torch.where(form.active, row_scale * form.h, 0.0)
    size = _unit_of_x(H, g, b, h)
    H, g, b, h, columns = size[..., None] ** 2 * H, size * g, b / size, h / size, size * columns
    equal_scale, row_scale = equal_scale / size, row_scale / size
    cost = torch.maximum(H.abs().amax(-2).mean(-1), largest(g))[:, None]
    cost = 1 / torch.where(cost > 0, cost, 1.0)
    return StandardForm(
        cost[..., None] * H,
        cost * g,
        A,
        b,
        G,
        torch.where(form.active, h, 1.0),
        form.active,
        form.rows,
        columns,
        equal_scale,
        row_scale,
        cost / unit,
    )


def _unit_of_x(H: Tensor, g: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """A power of two near the size of x where that is below one: the largest side, or the largest step that H asks for.

    (B, 1). Above one the tolerances are relative by themselves.
    """
    steepest = H.abs().amax((-2, -1))
    free = torch.where(steepest > 0, largest(g) / torch.where(steepest > 0, steepest, 1.0), 0.0)
    size = torch.stack([largest(b), largest(h), free]).amax(0)
    return power_of_two(size).clamp(max=1.0)[:, None]


def _coupling(matrix: Tensor) -> Tensor:
    """Magnitudes, without rows of one entry (bounds): whatever the unit of a column, scaling the row makes it one."""
    size = matrix.abs()
    return size * ((size > 0).sum(-1, keepdim=True) > 1)


def _row_size(matrix: Tensor) -> Tensor:
    return matrix.abs().amax(-1)


def _inverse_root(size: Tensor) -> Tensor:
    """1/√size within [1e-4, 1e4]; 1 for empty rows."""
    return torch.where(size > 0, size.clamp(1e-8, 1e8), 1.0).rsqrt()
