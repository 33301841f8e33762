"""Which problems of a batch have ended, and why: the rules of ``minimize``, row by row."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.solvers.batched.bfgs import Problems
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.run.monitor import PATIENCE
from gradwright.solvers.run.unboundedness import BOTTOMLESS, DEEP, REPRESENTABLE

ENDS = tuple(Status)
RUNNING = -1


def ends(problems: Problems, gtol: float, maxiter: int) -> Tensor:
    """For each row the position of its status in ``ENDS``, or ``RUNNING``. (B,)."""
    p = problems
    finite = p.f.isfinite() & p.size.isfinite()
    at_rest = torch.full_like(p.nit, _code(Status.NOISE_FLOOR))
    stuck = torch.where(p.drowned, at_rest, _code(Status.STALLED))
    code = torch.full_like(p.nit, RUNNING)
    code = torch.where(p.nit >= maxiter, _code(Status.MAX_ITERATIONS), code)
    code = torch.where(p.idle >= PATIENCE, at_rest, code)
    code = torch.where(p.failed, stuck, code)
    code = torch.where(_is_bottomless(p), _code(Status.UNBOUNDED), code)
    code = torch.where(p.size <= gtol * p.largest.clamp(max=1.0), _code(Status.CONVERGED_GRADIENT), code)
    return torch.where(finite, code, _code(Status.NON_FINITE))


def _is_bottomless(p: Problems) -> Tensor:
    """The rule of :class:`UnboundednessTest`. (B,)."""
    fall = -p.f
    enormous = (fall > BOTTOMLESS * p.scale.double()) | (fall > REPRESENTABLE * torch.finfo(p.f.dtype).max)
    return (fall > DEEP * p.scale) & (enormous | (torch.linalg.vector_norm(p.x, dim=1) > p.far))


def _code(status: Status) -> int:
    return ENDS.index(status)
