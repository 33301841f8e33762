"""The Jacobian of the residuals, as a matrix or by its products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.curvature.gauss_newton import jacobian_product
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.layout import Layout

CHUNK = 256
"""Backward passes that run as one batch."""


def by_rows(evaluation: Evaluation, r: Tensor) -> Tensor:
    """J (m, n), one backward pass per residual, in batches."""

    def rows(weights: Tensor) -> Tensor:
        parts = torch.autograd.grad(
            r, evaluation.leaves, weights, retain_graph=True, is_grads_batched=True, allow_unused=True
        )
        filled = [
            leaf.new_zeros(len(weights), leaf.numel()) if part is None else part.reshape(len(weights), -1)
            for leaf, part in zip(evaluation.leaves, parts)
        ]
        return torch.cat(filled, dim=1)

    evaluation.refresh()
    return _batched(rows, lambda weight: evaluation.grad(r, weight), r.numel(), r).detach()


def by_columns(evaluation: Evaluation, r: Tensor) -> Tensor:
    """J (m, n), one pass per unknown: u ↦ Jᵀu is linear in u, and its derivative along the columns of I is J."""
    evaluation.refresh()
    probe = torch.zeros_like(r, requires_grad=True)
    transposed = evaluation.grad(r, probe, create_graph=True)
    if not transposed.requires_grad:
        return r.new_zeros(r.numel(), transposed.numel())

    def columns(weights: Tensor) -> Tensor:
        return torch.autograd.grad(transposed, probe, weights, retain_graph=True, is_grads_batched=True)[0]

    def column(weight: Tensor) -> Tensor:
        return torch.autograd.grad(transposed, probe, weight, retain_graph=True)[0]

    return _batched(columns, column, transposed.numel(), transposed).T.detach()


def _batched(many: Callable[[Tensor], Tensor], one: Callable[[Tensor], Tensor], count: int, like: Tensor) -> Tensor:
    """The rows that unit vectors give, in batches where every operation has a batching rule, else one by one."""
    eye = torch.eye(count, dtype=like.dtype, device=like.device)
    try:
        return torch.cat([many(block) for block in eye.split(CHUNK)])
    except (RuntimeError, NotImplementedError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return torch.stack([one(row) for row in eye])


def automatic(evaluation: Evaluation, r: Tensor) -> Tensor:
    """By columns where there are fewer of them, and where second derivatives exist; else by rows."""
    if sum(leaf.numel() for leaf in evaluation.leaves) < r.numel():
        try:
            return by_columns(evaluation, r)
        except (RuntimeError, NotImplementedError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
    return by_rows(evaluation, r)


def by_differences(residuals: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """J by central differences with steps ε^(1/3) max(|x|, 10⁻³ max |x|, 10⁻³): two evaluations per unknown."""
    eps = torch.finfo(x.dtype).eps
    least = max(1e-3 * float(x.abs().max()), 1e-3)
    columns = []
    for index in range(x.numel()):
        ahead, behind = x.clone(), x.clone()
        reach = eps ** (1 / 3) * max(abs(float(x[index])), least)
        ahead[index] += reach
        behind[index] -= reach
        columns.append((residuals(ahead) - residuals(behind)) / (ahead[index] - behind[index]))
    return torch.stack(columns, dim=1)


def products(evaluation: Evaluation, r: Tensor) -> LinearOperator:
    """J by v ↦ Jv and u ↦ Jᵀu."""
    forward = jacobian_product(evaluation, r)

    def backward(u: Tensor) -> Tensor:
        evaluation.refresh()
        return evaluation.grad(r, u).detach()

    columns = sum(leaf.numel() for leaf in evaluation.leaves)
    return LinearOperator((r.numel(), columns), lambda v: forward(v).detach(), backward)


def given(answer: Any, layout: Layout, rows: int) -> Tensor:
    """The user's Jacobian as (m, n): a tensor of shape (m, *x0.shape) or (m, n), or a dict of such.

    Raises:
        ValueError: keys or shapes do not fit.
    """
    parts = [answer[name] for name in layout.names] if isinstance(answer, Mapping) else [answer]
    if len(parts) != len(layout.names):
        raise ValueError(f"jac returned one tensor, but x0 has {list(layout.names)}; return a dict with these keys")
    joined = []
    for name, size, part in zip(layout.names, layout.sizes, parts):
        part = torch.as_tensor(part, dtype=layout.dtype, device=layout.device).detach()
        if part.numel() != rows * size:
            raise ValueError(
                f"jac: {name} has shape {tuple(part.shape)}; {rows} residuals of {size} unknowns need ({rows}, {size})"
            )
        joined.append(part.reshape(rows, size))
    return torch.cat(joined, dim=1)
