"""The arguments of solve_qp: checked, stacked into two-sided rows, and with one batch dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-5}


def checked(H, g, A, b, C, l, u, bounds) -> tuple[torch.Size, tuple[Tensor, ...]]:  # noqa: E741
    """The batch shape, and H, g, all rows stacked (A, C, the identity) and their two sides, one batch dimension."""
    if not isinstance(H, Tensor) or H.dtype not in TOLERANCE:
        raise TypeError(f"H is {getattr(H, 'dtype', type(H).__name__)}; give a float32 or float64 tensor (n, n)")
    if H.dim() < 2 or H.shape[-1] != H.shape[-2]:
        raise ValueError(f"H has shape {tuple(H.shape)}; give (..., n, n)")
    n, like = H.shape[-1], H.new_zeros(())
    if (A is None) != (b is None):
        raise ValueError("A and b belong together; one of them is missing")
    if C is None and not (l is None and u is None):
        raise ValueError("l or u is given without C; for bounds on x use bounds=(lower, upper)")
    if C is not None and l is None and u is None:
        raise ValueError("C is given without l and u, so it would be ignored; give one of them or both")
    A = H.new_zeros(0, n) if A is None else torch.as_tensor(A, dtype=like.dtype, device=like.device)
    C = H.new_zeros(0, n) if C is None else torch.as_tensor(C, dtype=like.dtype, device=like.device)
    for name, matrix in (("A", A), ("C", C)):
        if matrix.dim() < 2 or matrix.shape[-1] != n:
            raise ValueError(f"{name} has shape {tuple(matrix.shape)}; give (..., rows, {n}) to match H")
    lower_x, upper_x = bounds if bounds is not None else (None, None)

    def side(value: Any, rows: int, fill: float, name: str) -> Tensor:
        value = (
            like.new_full((rows,), fill)
            if value is None
            else torch.as_tensor(value, dtype=like.dtype, device=like.device)
        )
        value = value.expand(rows) if value.dim() == 0 else value
        if value.shape[-1] != rows:
            raise ValueError(f"{name} has shape {tuple(value.shape)}; give (..., {rows})")
        return value

    b_side = side(b, A.shape[-2], 0.0, "b")
    sides = {
        "l": side(l, C.shape[-2], -torch.inf, "l"),
        "u": side(u, C.shape[-2], torch.inf, "u"),
        "the lower bound": side(lower_x, n, -torch.inf, "the lower bound"),
        "the upper bound": side(upper_x, n, torch.inf, "the upper bound"),
    }
    g = side(g, n, 0.0, "g")
    for low, high in (("l", "u"), ("the lower bound", "the upper bound")):
        crossed = sides[low] > sides[high]
        if bool(crossed.any()):
            at = tuple(crossed.nonzero()[0].tolist())
            pair = [float(each.expand(crossed.shape)[at]) for each in (sides[low], sides[high])]
            raise ValueError(f"{low} is above {high} at entry {at}: {pair[0]} > {pair[1]}; give {low} <= {high}")
    batch = torch.broadcast_shapes(
        H.shape[:-2],
        A.shape[:-2],
        C.shape[:-2],
        g.shape[:-1],
        b_side.shape[:-1],
        *(each.shape[:-1] for each in sides.values()),
    )
    flat_matrix = lambda M: M.expand(*batch, *M.shape[-2:]).reshape(batch.numel(), *M.shape[-2:])  # noqa: E731
    flat_vector = lambda v: v.expand(*batch, v.shape[-1]).reshape(batch.numel(), v.shape[-1])  # noqa: E731
    rows = torch.cat([flat_matrix(A), flat_matrix(C), flat_matrix(torch.eye(n, dtype=H.dtype, device=H.device))], -2)
    low, high, low_x, high_x = (flat_vector(each) for each in sides.values())
    equal = flat_vector(b_side)
    H = flat_matrix(H)
    return batch, (
        0.5 * (H + H.mT),
        flat_vector(g),
        rows,
        torch.cat([equal, low, low_x], -1),
        torch.cat([equal, high, high_x], -1),
    )
