"""minimize_batch: many small problems at once, each with its own convergence."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.batched_search import Slice, search
from gradwright.solvers.status import Status

GTOL = {torch.float64: 1e-6, torch.float32: 1e-4}

LARGEST = 2_000
"""Unknowns per problem up to which a matrix for each is kept."""


@dataclass(frozen=True)
class BatchResult:
    """What ``minimize_batch`` found, one entry per problem.

    Attributes:
        x: (B, n) in the shape of x0; fun: (B,); jac: like x.
        status: one :class:`Status` per problem.
        nit: (B,), iterations of each problem.
        nfev: (B,), evaluations of each problem.
        calls: how often ``fun`` was called.
        rows: problems evaluated in all of these calls.
    """

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
        return torch.tensor([status.success for status in self.status])

    @property
    def message(self) -> str:
        """How many ended in which way."""
        counts = {status: self.status.count(status) for status in dict.fromkeys(self.status)}
        return " ".join(f"{count} of {len(self.status)}: {status.sentence}" for status, count in counts.items())


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
            args only. b falls during the run.
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
    count = x0.shape[0]
    size = math.prod(x0.shape[1:])
    state = _State(fun, x0, args, size)
    outcome: list[Status] = [Status.MAX_ITERATIONS] * count
    if count:
        state.check_rows()
    limit = maxiter or min(20_000, max(1_000, 200 * size))
    final_x, final_f = x0.detach().reshape(count, size).clone(), x0.new_full((count,), math.nan)
    final_g = torch.full_like(final_x, math.nan)
    iterations, evaluations = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.long)

    def finish(done: Tensor, status: Sequence[Status | None]) -> None:
        """Store the rows that are done and keep the rest."""
        ids = state.ids[done]
        final_x[ids], final_f[ids], final_g[ids] = state.x[done], state.f[done], state.g[done]
        iterations[ids.cpu()], evaluations[ids.cpu()] = state.nit[done].cpu(), state.nfev[done].cpu()
        for index, each in zip(ids.tolist(), status):
            outcome[index] = each or Status.MAX_ITERATIONS
        state.keep(~done)

    if count:
        bad = ~(state.f.isfinite() & state.g.isfinite().all(1))
        if bool(bad.any()):
            finish(bad, [Status.NON_FINITE] * int(bad.sum()))
    while len(state.ids):
        slope = state.g.abs().amax(1)
        state.largest = torch.maximum(state.largest, slope)
        converged = slope <= gtol * state.largest.clamp(max=1.0)
        unbounded = state.f < -1e15 * state.scale
        stuck = state.idle >= 20
        tired = state.nit >= limit
        done = converged | unbounded | stuck | tired
        if bool(done.any()):
            status = [
                Status.CONVERGED_GRADIENT
                if c
                else Status.UNBOUNDED
                if u
                else (Status.CONVERGED_VALUE if small else Status.NOISE_FLOOR)
                if s
                else Status.MAX_ITERATIONS
                for c, u, s, small in zip(*(m[done].tolist() for m in (converged, unbounded, stuck, slope <= gtol)))
            ]
            finish(done, status)
            continue
        failed = state.advance()
        if bool(failed.any()):
            small = (state.g.abs().amax(1) <= gtol)[failed].tolist()
            noisy = state.drowned[failed].tolist()
            rest = [
                Status.CONVERGED_VALUE if s else Status.NOISE_FLOOR if n else Status.STALLED
                for s, n in zip(small, noisy)
            ]
            finish(failed, rest)
    return BatchResult(
        final_x.reshape(x0.shape), final_f, final_g.reshape(x0.shape), tuple(outcome), iterations, evaluations,
        state.calls, state.rows,
    )  # fmt: skip


class _State:
    """The unfinished problems: one row each in every tensor."""

    def __init__(self, fun: Callable[..., Tensor], x0: Tensor, args: Sequence[Tensor], size: int) -> None:
        self.fun, self.shape, self.args = fun, x0.shape[1:], tuple(args)
        self.eps = torch.finfo(x0.dtype).eps
        self.calls = self.rows = 0
        count = x0.shape[0]
        self.x = x0.detach().reshape(count, size).clone()
        self.ids = torch.arange(count, device=x0.device)
        self.nit = torch.zeros(count, dtype=torch.long, device=x0.device)
        self.nfev = torch.zeros_like(self.nit)
        self.idle = torch.zeros_like(self.nit)
        self.H = torch.eye(size, dtype=x0.dtype, device=x0.device).repeat(count, 1, 1)
        self.fresh = torch.ones(count, dtype=torch.bool, device=x0.device)
        self.drowned = torch.zeros_like(self.fresh)
        self.f, self.g = self.evaluate(self.x, torch.arange(count, device=x0.device))
        self.least, self.largest = self.f.clone(), torch.zeros_like(self.f)
        self.flattest = self.g.abs().amax(1) if count else self.f.clone()
        length = torch.linalg.vector_norm(self.x, dim=1).clamp(min=1.0)
        self.scale = torch.maximum(self.f.abs(), torch.linalg.vector_norm(self.g, dim=1) * length)

    def evaluate(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """Values and gradients at x, the rows of which belong to the problems ``which`` of this batch."""
        self.calls += 1
        self.rows += len(x)
        self.nfev[which] += 1
        leaf = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            f = self.fun(leaf.view(len(x), *self.shape), *(each[which] for each in self.args))
            if not isinstance(f, Tensor) or f.shape != (len(x),):
                found = tuple(f.shape) if isinstance(f, Tensor) else type(f).__name__
                raise ValueError(f"fun returned {found} for {len(x)} rows; return one value per row, shape ({len(x)},)")
            if not f.requires_grad:
                raise ValueError(
                    "fun's values do not depend on x through differentiable operations; compute them with torch"
                )
            (g,) = torch.autograd.grad(f.sum(), leaf)
        return f.detach().to(x.dtype), g

    def check_rows(self) -> None:
        """Evaluate the first row alone.

        Raises:
            ValueError: its value differs from the one among the others, so rows are not independent.
        """
        alone, _ = self.evaluate(self.x[:1], torch.zeros(1, dtype=torch.long, device=self.x.device))
        together = self.f[:1]
        if bool((alone - together).abs() > 1e4 * self.eps * together.abs().clamp(min=alone.abs())):
            raise ValueError(
                f"fun gives {float(alone):.6g} for row 0 alone and {float(together):.6g} among the others: rows "
                f"must not influence each other (a mean over the batch, batch normalisation), and fun must be fixed"
            )

    def keep(self, rows: Tensor) -> None:
        """Forget the problems that are done."""
        for name in (
            "x",
            "f",
            "g",
            "H",
            "ids",
            "nit",
            "nfev",
            "idle",
            "fresh",
            "drowned",
            "least",
            "largest",
            "flattest",
            "scale",
        ):
            setattr(self, name, getattr(self, name)[rows])
        self.args = tuple(each[rows] for each in self.args)

    def advance(self) -> Tensor:
        """One BFGS step of every problem; which of them found no better point even along −g."""
        d, first = self.direction()
        found = search(Slice(self.evaluate, self.x, self.f, self.g, d, self.eps), first)
        again = ~found.success & ~self.fresh
        if bool(again.any()):  # an empty memory and steepest descent before giving up
            self.fresh |= again
            rows = again.nonzero()[:, 0]
            d[rows] = -self.g[rows]
            part = Slice(
                lambda x, which: self.evaluate(x, rows[which]),
                self.x[rows],
                self.f[rows],
                self.g[rows],
                d[rows],
                self.eps,
            )
            found.update(rows, search(part, _cautious(self.x[rows], self.g[rows])))
        failed = ~found.success
        self.drowned = -(self.g * d).sum(1) * found.alpha.abs() <= 10 * self.eps * self.f.abs()
        self.learn(found.x, found.f, found.g, failed)
        return failed

    def direction(self) -> tuple[Tensor, Tensor]:
        """−Hg and a first step of 1; −g and a short one where H is not built or −Hg is not downhill."""
        d = -torch.bmm(self.H, self.g[:, :, None])[:, :, 0]
        slope = (d * self.g).sum(1)
        size = torch.linalg.vector_norm(d, dim=1) * torch.linalg.vector_norm(self.g, dim=1)
        self.fresh |= ~(slope < -self.eps * size)
        d = torch.where(self.fresh[:, None], -self.g, d)
        return d, torch.where(self.fresh, _cautious(self.x, self.g), torch.ones_like(slope))

    def learn(self, x: Tensor, f: Tensor, g: Tensor, failed: Tensor) -> None:
        """Move, and update H by the pair of each problem: H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ, ρ = 1/sᵀy."""
        s, y = x - self.x, g - self.g
        sy, yy = (s * y).sum(1), (y * y).sum(1)
        sizes = torch.linalg.vector_norm(s, dim=1) * yy.sqrt()
        good = (sy > 10 * self.eps * sizes) & ~failed
        first = good & self.fresh
        if bool(first.any()):
            start = (sy / yy)[first]
            self.H[first] = torch.diag_embed(start[:, None].expand(-1, self.H.shape[1]))
        rho = torch.where(good, 1 / torch.where(good, sy, 1.0), torch.zeros_like(sy))
        Hy = torch.bmm(self.H, y[:, :, None])[:, :, 0]
        half = 0.5 * rho * (1 + rho * (y * Hy).sum(1))
        outer = (half[:, None] * s - rho[:, None] * Hy)[:, :, None] * s[:, None, :]
        self.H.add_(outer).add_(outer.transpose(1, 2))
        self.fresh &= ~good
        slope = g.abs().amax(1)
        progress = (f < self.least) | (slope < 0.9 * self.flattest)
        self.idle = torch.where(progress, torch.zeros_like(self.idle), self.idle + 1)
        self.least, self.flattest = torch.minimum(self.least, f), torch.minimum(self.flattest, slope)
        self.x, self.f, self.g = x, f, g
        self.nit += (~failed).long()


def _cautious(x: Tensor, g: Tensor) -> Tensor:
    """The first step along −g: a hundredth of ‖x‖, or 0.01 where x is smaller than 1."""
    return 1e-2 * torch.linalg.vector_norm(x, dim=1).clamp(min=1.0) / torch.linalg.vector_norm(g, dim=1)


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
            warnings.warn(f"x0 is {x0.dtype}: matrices of curvature need float32 at least", UserWarning, stacklevel=3)
        return GTOL.get(x0.dtype, 1e-2)
    if not gtol >= 0:
        raise ValueError(f"gtol={gtol!r} must not be negative; 1e-6 is usual in float64")
    return gtol
