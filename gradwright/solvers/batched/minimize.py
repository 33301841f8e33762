"""minimize_batch: the verb for many problems at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradwright.core.warn import warn_user
from gradwright.solvers.batched.bfgs import Problems
from gradwright.solvers.batched.ends import ENDS, RUNNING, ends
from gradwright.solvers.batched.function import RowFunction
from gradwright.solvers.batched.result import BatchResult

GTOL = {torch.float64: 1e-6, torch.float32: 1e-4}

LARGEST = 2_000
"""Unknowns per problem up to which a matrix for each is kept."""


def minimize_batch(
    fun: Callable[..., Tensor],
    x0: Tensor,
    *,
    args: Sequence[Tensor] = (),
    gtol: float | None = None,
    maxiter: int | None = None,
) -> BatchResult:
    """Minimise B functions of n variables each, by BFGS on all of them at once.

    Problems share calls, not steps: each has its own matrix, step length and end. One that has ended is taken out of
    the batch, so a call costs what the unfinished ones need. As problems do not depend on each other, one backward pass
    of Σ f_b gives every gradient. Tests, noise and the treatment of points that are not finite are those of
    :func:`minimize`.

    Args:
        fun: ``fun(x, *args)`` for x (b, ...) returns (b,), row by row: each value may depend on its own row of x and
            args only. b falls during the run, and rows change places.
        x0: (B, ...), a starting point in each row.
        args: tensors with B rows of data, thinned out like x.
        gtol: stop at ‖g‖∞ ≤ gtol · min(1, largest ‖g‖∞ seen); 1e-6 in float64, 1e-4 in float32.
        maxiter: iterations of one problem at most (200 per unknown, between 1,000 and 20,000).

    Raises:
        ValueError, TypeError: shapes that do not fit, rows that are not independent, too many unknowns.

    >>> starts = torch.tensor([[-1.2, 1.0], [2.0, 3.0], [0.0, -4.0]], dtype=torch.float64)
    >>> result = minimize_batch(lambda x: 100 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (1 - x[:, 0]) ** 2, starts)
    >>> bool(result.success.all()), bool((result.x - 1).abs().max() < 1e-5)
    (True, True)

    Reference: Nocedal and Wright, Numerical Optimization (2006), chapter 6; for the search Lewis and Overton, Math.
    Program. 141 (2013).
    """
    gtol = _check(fun, x0, args, gtol, maxiter)
    count, size = x0.shape[0], math.prod(x0.shape[1:])
    start = x0.detach().reshape(count, size)
    x, g, f = start.clone(), torch.full_like(start, math.nan), start.new_full((count,), math.nan)
    codes, nit, nfev = (torch.zeros(count, dtype=torch.long, device=x0.device) for _ in range(3))
    function = RowFunction(fun, x0.shape[1:], args)
    if count:
        problems = Problems(function, start)
        function.check_rows(problems.x, problems.f)
        problems.nfev[0] += 1
        limit = maxiter or min(20_000, max(1_000, 200 * size))
        while len(problems.ids):
            ended = ends(problems, gtol, limit)
            done = ended != RUNNING
            if bool(done.any()):
                ids = problems.ids[done]
                x[ids], f[ids], g[ids] = problems.x[done], problems.f[done], problems.g[done]
                codes[ids], nit[ids], nfev[ids] = ended[done], problems.nit[done], problems.nfev[done]
                problems.keep(~done)
            problems.advance()
    status = tuple(ENDS[code] for code in codes.tolist())
    shape = x0.shape
    return BatchResult(
        x.reshape(shape), f, g.reshape(shape), status, nit.cpu(), nfev.cpu(), function.calls, function.rows
    )


def _check(
    fun: Callable[..., Tensor], x0: Tensor, args: Sequence[Tensor], gtol: float | None, maxiter: int | None
) -> float:
    if not callable(fun):
        raise TypeError(f"fun is a {type(fun).__name__}; give a function of x")
    if not isinstance(x0, Tensor) or not x0.is_floating_point():
        kind = x0.dtype if isinstance(x0, Tensor) else type(x0).__name__
        raise TypeError(f"x0 is {kind}; give a real floating-point tensor with one problem in each row")
    if x0.dim() < 2 or (not x0[:1].numel() and x0.shape[0]):
        raise ValueError(f"x0 has shape {tuple(x0.shape)}; give (problems, unknowns), at least one unknown")
    size = math.prod(x0.shape[1:])
    if size > LARGEST:
        raise ValueError(
            f"x0 has {size} unknowns per problem, and {size}² numbers each are too many; use minimize for each"
        )
    for index, each in enumerate(args):
        if not isinstance(each, Tensor) or each.dim() == 0 or each.shape[0] != x0.shape[0]:
            found = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
            raise ValueError(
                f"args[{index}] is {found}; give a tensor with {x0.shape[0]} rows, or close over what all share"
            )
    if maxiter is not None and maxiter < 1:
        raise ValueError(f"maxiter={maxiter} must be positive; leave it out for the default")
    if gtol is None:
        if x0.dtype not in GTOL:
            warn_user(f"x0 is {x0.dtype}: matrices of curvature need float32 at least")
        return GTOL.get(x0.dtype, 1e-2)
    if not gtol >= 0:
        raise ValueError(f"gtol={gtol!r} must not be negative; 1e-6 is usual in float64")
    return gtol
