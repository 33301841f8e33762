"""Sparse gradients, for recipes that claim to take them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gradwright.contract.asserts import close
from gradwright.contract.check import Knobs, RecipeClass, check
from gradwright.contract.training import noise
from gradwright.optimizer.optimizer import Optimizer

ROWS, WIDTH = 5, 3
VISITS = ((0, 1), (1,), (3, 1), (3, 3, 0), (4,), (), (0, 1, 3, 4), (2, 2, 2))
"""Which rows have a gradient at each step, some of them several times; at one step none has."""


def _table() -> Tensor:
    return noise(1000, (ROWS, WIDTH), torch.float64).requires_grad_()


def _gradients(first: int, last: int) -> Iterator[tuple[Sequence[int], Tensor]]:
    for time in range(first, last):
        rows = VISITS[time]
        values = noise(100 + time, (len(rows), WIDTH), torch.float64)
        indices = torch.tensor([rows], dtype=torch.int64, device="cpu")
        yield rows, torch.sparse_coo_tensor(indices, values, (ROWS, WIDTH), check_invariants=True)


def _train(optimizer: Optimizer, table: Tensor, first: int, last: int) -> None:
    for _, grad in _gradients(first, last):
        table.grad = grad
        optimizer.step(loss=1.0)


@check(claim="rows")
def rows_step_apart(recipe: RecipeClass, knobs: Knobs) -> None:
    """Under sparse gradients the rows of a table step as parameters of their own would, and the others rest."""
    table = _table()
    apart = [row[None].detach().clone().requires_grad_() for row in table]
    optimizer, many = recipe([table], **knobs), recipe(apart, **{**knobs, "engine": "eager"})
    for rows, grad in _gradients(0, len(VISITS)):
        table.grad, dense = grad, grad.to_dense()
        for at, row in enumerate(apart):
            row.grad = dense[at : at + 1] if at in rows else None
        optimizer.step(loss=1.0)
        many.step(loss=1.0)
        close(table.detach(), torch.cat(apart).detach(), "rows of a table step otherwise than by themselves")
    with optimizer.evaluating(), many.evaluating():
        close(table.detach(), torch.cat(apart).detach(), "rows of a table are evaluated otherwise than by themselves")


@check(claim="rows")
def rows_resume(recipe: RecipeClass, knobs: Knobs) -> None:
    """A table whose rows have ages of their own goes on from its checkpoint, bit for bit."""
    table = _table()
    optimizer = recipe([table], **knobs)
    _train(optimizer, table, 0, 4)
    other = table.detach().clone().requires_grad_()
    resumed = recipe([other], **knobs)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    _train(optimizer, table, 4, len(VISITS))
    _train(resumed, other, 4, len(VISITS))
    assert torch.equal(table, other), f"resumed rows are {other}, the others {table}"
