"""Gradient release: parameters step during backward, each as soon as its gradient is complete, which is then freed.

The gradients of a model then never lie in memory together, but only those of the largest few tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal

import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradwright.core import Chain, ParamSpec, Slot
from gradwright.core.gathering import Form, form, totals
from gradwright.core.number import as_float, as_whole
from gradwright.engine.collective import is_spread
from gradwright.optimizer.optimizer import Optimizer
from gradwright.optimizer.release_terms import Terms
from gradwright.optimizer.release_window import ReleaseWindow

FORMS = ("exact", "adama")


class Released:
    """Gradient release at work, from :func:`release` until :meth:`remove`, or the end of a ``with`` block."""

    def __init__(self, model: nn.Module, optimizer: Optimizer, terms: Terms, params: list[Tensor]) -> None:
        window = optimizer.window
        if window is None:
            window = optimizer.window = ReleaseWindow(optimizer)
        window.attach(terms)
        self._window, self._params = window, params
        self._hooks = [param.register_post_accumulate_grad_hook(window.arrive) for param in params]

    def remove(self) -> None:
        """Leave gradients where backward puts them again. A step that has begun is still finished by ``step()``."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._window.attached = False

    def __enter__(self) -> Released:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
        if error is not None:
            self._window.interrupt(error)

    @contextmanager
    def accumulating(self, how: Literal["exact", "adama"] = "exact") -> Iterator[None]:
        """Within this block, gradients are those of micro-batches that are not the last of their step.

        They are added to the averages of the recipe and freed; no parameter moves. The backward of the last
        micro-batch goes outside, and then ``optimizer.step()``. Divide every loss by the number of micro-batches.

        Args:
            how: ``"exact"`` makes the step that of the whole batch, up to rounding. It serves recipes that average
                the gradient and read it nowhere else: SGD with a momentum, Signum, Tiger, Muon without Nesterov's
                momentum. ``"adama"`` is another method (AdamA, arXiv:2305.19982): the second moment of Adam and AdamW
                is that of the squares of micro-batch gradients, summed, in place of the square of their sum.

        Raises:
            ValueError: the recipe cannot do it; names it and what it can do. Or gradients are clipped.
            RuntimeError: the block is within another, or behind a backward of the same step that was taken for the
                last.
        """
        window = self._window
        if how not in FORMS:
            raise ValueError(f"accumulating({how!r}) is unknown; known are {', '.join(FORMS)}")
        if window.terms.clip_norm is not None:
            raise ValueError(
                "release: accumulating() with clip_norm would clip micro-batches instead of their sum; leave out one "
                "of the two"
            )
        window.refuse_gathering("accumulating()")
        for group, chain, specs in _groups_of(window.optimizer, self._params):
            _refuse_form(group["recipe"], form(chain, specs), how)
        window.gather(how)
        try:
            yield
            window.flush()
        finally:
            window.gathering = None

    def abandon(self) -> None:
        """Forget the step that has begun and drop the gradients that wait. Parameters that have moved stay there."""
        self._window.abandon()

    @property
    def norm(self) -> float | None:
        """With ``clip_by="previous"``, the norm of all gradients of the last step; keep it beside a checkpoint, and
        assign it to resume exactly."""
        return None if self._window.norm is None else float(self._window.norm)

    @norm.setter
    def norm(self, value: float | None) -> None:
        self._window.norm = None if value is None else as_float("norm", value)


def release(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    hold: int | None = None,
    scale: float = 1.0,
    clip_norm: float | None = None,
    clip_by: Literal["tensor", "previous"] = "tensor",
) -> Released:
    """Step parameters during backward, each as soon as its gradient is complete, and free the gradient.

    The training loop stays as it is. ``step()`` takes what is left, counts, and must follow each backward; schedulers,
    ``zero_grad()`` and checkpoints go on as before, and the weights are those that they would be without release, bit
    for bit::

        with gradwright.training.release(model, optimizer):
            loss.backward()
        optimizer.step()

    or once for all, like a hook::

        released = gradwright.training.release(model, optimizer)
        for batch in batches:
            loss(model, batch).backward(); optimizer.step(); optimizer.zero_grad()
        released.remove()

    Gradients wait for each other until they fill as much memory as that of the largest parameter, so that small
    tensors share a kernel. The last ones wait for ``step()``. No more than twice that much is alive at any time.

    Micro-batches: :meth:`Released.accumulating`. What needs all gradients at once cannot be had: a global norm, the
    skipped step of a ``GradScaler``, recipes that sum over all parameters (Prodigy, DoG's relatives, ``clipped``).

    Args:
        model: the module. Of its parameters, those that the optimizer has and that require a gradient are released;
            gradients of the optimizer's other parameters are used by ``step()``.
        optimizer: a recipe, or what :func:`gradwright.route` made.
        hold: bytes of gradients that may wait for each other; those of the largest parameter if not given, and 0 to
            let each step alone.
        scale: what the loss is multiplied by before backward, so that small gradients survive in float16. It is
            divided out in the kernel. There is no search for the largest scale: a gradient that overflows is used.
        clip_norm: the greatest norm of gradients.
        clip_by: ``"tensor"`` clips each gradient by its own norm, exactly. ``"previous"`` multiplies all by
            min(1, clip_norm / norm of all gradients at the step before), which is another method than to clip by the
            norm of this step, and lets a sudden large gradient pass once; the first step is clipped by tensor. It
            reads that norm on the host once a step.

    Raises:
        TypeError: the model is no module, or the optimizer not one of this library's.
        ValueError: nothing can be released, or the recipe, or the way the model is distributed, does not allow it.
        RuntimeError: the optimizer's gradients are released already. Later, in backward: a second gradient before
            ``step()``.
    """
    params = _released_params(model, optimizer)
    for group, chain, specs in _groups_of(optimizer, params):
        _refuse_recipe(group["recipe"], chain, specs)
    largest = max(param.nbytes for param in params)
    terms = Terms(
        largest if hold is None else as_whole("release: hold", hold),
        _positive("scale", scale),
        None if clip_norm is None else _positive("clip_norm", clip_norm),
        clip_by,
    )
    if terms.hold < 0:
        raise ValueError(f"release: hold={terms.hold} is negative; give bytes, or 0 to let each parameter step alone")
    if clip_by not in ("tensor", "previous"):
        raise ValueError(f"release: clip_by={clip_by!r} is unknown; known are tensor, previous")
    window = optimizer.window
    if window is not None and window.attached:
        raise RuntimeError("release: the gradients of this optimizer are released already; call remove() on that first")
    if window is not None:
        window.refuse_other_terms(terms)
    return Released(model, optimizer, terms, params)


def _positive(name: str, value: Any) -> float:
    number = as_float(f"release: {name}", value)
    if not 0 < number < math.inf:
        raise ValueError(f"release: {name}={number:g} must be greater than 0")
    return number


def _released_params(model: Any, optimizer: Any) -> list[Tensor]:
    """The parameters of a model that an optimizer has, after all that stands against releasing them is refused."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"release: model is a {type(model).__name__}; give the module")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"release: {type(optimizer).__module__}.{type(optimizer).__name__} is no optimizer of gradwright's, which "
            "alone can step some parameters before others"
        )
    if optimizer.skip_nonfinite:
        raise ValueError(
            "release: skip_nonfinite=True needs all gradients before the first is used, and release uses each as it "
            "comes; make the optimizer without it, or leave release out"
        )
    _refuse_replicas(model)
    theirs = {param for group in optimizer.param_groups for param in group["params"]}
    params = [param for param in model.parameters() if param in theirs and param.requires_grad]
    if not params:
        raise ValueError("release: no parameter of the model that requires a gradient is in the optimizer")
    if any(map(is_lazy, params)):
        raise ValueError("release: the model has lazy parameters without a shape; run a batch through it first")
    if any(map(is_spread, params)):
        raise ValueError(
            "release: the model has distributed tensors, whose release has not been tried; FSDP frees its whole "
            "gradients by itself and keeps this rank's shard"
        )
    ranks = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    if ranks > 1:
        raise ValueError(
            f"release: {ranks} ranks hold a copy of this model, and a parameter would step by its own rank's gradient "
            "before they are averaged; shard the model (torch.distributed.fsdp.fully_shard), or leave release out"
        )
    return params


def _refuse_replicas(model: nn.Module) -> None:
    for module in model.modules():
        for kind in (nn.parallel.DistributedDataParallel, nn.DataParallel):
            if isinstance(module, kind):
                raise ValueError(
                    f"release: {kind.__name__} averages gradients after they are complete, when a released parameter "
                    "has moved by its own; leave release out, or shard the model (torch.distributed.fsdp.fully_shard)"
                )


def _groups_of(optimizer: Optimizer, params: list[Tensor]) -> Iterator[tuple[dict[str, Any], Chain, list[ParamSpec]]]:
    """The groups that have some of these parameters, each with its chain and the specs of these."""
    released = set(params)
    for group in optimizer.param_groups:
        if specs := [optimizer.spec_of(param) for param in group["params"] if param in released]:
            yield group, optimizer.chain_of(group), specs


def _refuse_recipe(recipe: str, chain: Chain, specs: list[ParamSpec]) -> None:
    """Refuse a recipe that needs more than a parameter's own gradient."""
    if "loss" in chain.all_needs:
        raise ValueError(
            f"release: {recipe} needs the loss, which step() is given when parameters have moved; leave release out"
        )
    slots = (entry for spec in specs for entry in chain.slots(spec).items())
    shared = {key for key, slot in slots if isinstance(slot, Slot) and slot.shared}
    if asked := sorted(totals(chain, specs) | shared):
        clip = "; to clip, give release(clip_norm=...)" if "gradient_norm2" in asked else ""
        raise ValueError(
            f"release: {recipe} needs {', '.join(asked)} of all parameters, which is not known before the last "
            f"gradient is; leave release out{clip}"
        )


def _refuse_form(recipe: str, can: Form | None, how: str) -> None:
    """Refuse to gather micro-batches in the state of a recipe that cannot make the step of their sum from it."""
    if can == how or can == "exact":
        return
    if can == "adama":
        raise ValueError(
            f"release: {recipe} divides by the root of averaged squares, and the squares of micro-batches do not add "
            "up to the square of their sum. Either accumulate in gradients, without release, which saves nothing; or "
            "use accumulating('adama'), another method (arXiv:2305.19982) that sums the squares"
        )
    raise ValueError(
        f"release: {recipe} uses the gradient apart from the average it keeps of it, so that micro-batches cannot be "
        "gathered there (as with Nesterov's momentum, or Lion's two rates); accumulate in gradients, without release"
    )
