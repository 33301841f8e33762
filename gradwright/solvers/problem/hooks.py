"""Hooks on parameters: what they do to a gradient, and whether derivatives can honour it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


def hooked(leaves: Sequence[Tensor]) -> bool:
    """Whether any has a hook on its gradient (``register_hook``)."""
    return any(leaf._backward_hooks for leaf in leaves)


@contextmanager
def silenced(leaves: Sequence[Tensor]) -> Iterator[None]:
    """Autograd runs no hook of these leaves: a product of the Hessian is not a gradient, and clipping one is wrong."""
    held = [(leaf._backward_hooks, dict(leaf._backward_hooks)) for leaf in leaves if leaf._backward_hooks]
    try:
        for hooks, _ in held:
            hooks.clear()  # the dictionary that autograd itself looks into
        yield
    finally:
        for hooks, entries in held:
            hooks.update(entries)


def masks(leaves: Sequence[Tensor], gradient: Sequence[Tensor]) -> list[Tensor | None]:
    """What the hooks of each leaf leave of its gradient: 1 and 0 for each entry, None where they leave all of it.

    With such a mask D the gradient Dg and the Hessian DHD are those of the function of the entries that are left.

    Raises:
        ValueError: hooks do something else than setting entries to zero.
    """
    found: list[Tensor | None] = []
    for index, (leaf, part) in enumerate(zip(leaves, gradient)):
        kept = _kept(leaf, part, index)
        if kept is not None and not bool(part.all()):  # a zero does not tell whether it is masked; another number does
            typical = float(part.abs().mean()) or 1.0
            kept = _kept(leaf, torch.where(part == 0, typical, part), index)
        found.append(None if kept is None else kept.to(part))
    return found


def _kept(leaf: Tensor, part: Tensor, index: int) -> Tensor | None:
    """The entries that the hooks leave as they are, None where no hook returns anything."""
    after, touched = part, False
    for hook in list((leaf._backward_hooks or {}).values()):
        with torch.no_grad():
            answer = hook(after.clone())
        if answer is not None:
            after, touched = answer, True
    if not touched:
        return None
    kept = (after == part) | (part.isnan() & after.isnan())
    if not bool((kept | (after == 0)).all()):
        raise ValueError(
            f"a hook on parameter {index} of those trained, of shape {tuple(leaf.shape)}, changes its gradient: steps "
            f"are made from the derivatives of the loss, so put what it does into the loss; only a hook that sets "
            f"entries to zero, or looks on, is honoured"
        )
    return kept
