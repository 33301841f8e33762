"""Sources: what evaluates. A function of a tensor or dict; a function of a module; a training closure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from gradwright.solvers.problem.closure import Recorder, run_backward
from gradwright.solvers.problem.evaluation import Evaluation, dense, scalar
from gradwright.solvers.problem.hooks import hooked, masks
from gradwright.solvers.problem.layout import Layout
from gradwright.solvers.problem.placement import Placement


class Source(Protocol):
    """Evaluates the objective at a flat point of the layout's dtype. ``name`` is what errors call it."""

    name: ClassVar[str]

    @property
    def layout(self) -> Layout:
        """Of the unknowns."""
        ...

    def evaluate(self, x: Tensor) -> Evaluation:
        """Evaluate at ``x``."""
        ...


@dataclass(frozen=True)
class FunctionSource:
    """``fun(x)`` for ``x`` in the form of x0; with ``jac`` where the user differentiates.

    Args:
        layout: of x0.
        fun: returns the value, ``(value, extras)``, or ``(value, gradient)`` if ``jac`` is True.
        jac: None for autograd; True; or a function of x that returns the gradient in the form of x0.
    """

    name: ClassVar[str] = "fun"

    layout: Layout
    fun: Callable[[Any], Any]
    jac: Callable[[Any], Any] | bool | None = None

    def evaluate(self, x: Tensor) -> Evaluation:
        leaf = x.detach().clone()
        if self.jac is None:
            leaf.requires_grad_()
        with torch.enable_grad():
            answer = self.fun(self.layout.structured(leaf))
        value, extras = answer if isinstance(answer, tuple) else (answer, None)
        given = None
        if self.jac is True:
            gradient, extras = extras, None
            if gradient is None:
                raise ValueError("jac=True, but fun returned no gradient; return (value, gradient), or leave jac out")
            given = self._gradient(lambda: gradient)
        elif callable(self.jac):
            point = self.layout.structured(leaf.detach())
            differentiate = self.jac
            given = self._gradient(lambda: differentiate(point))
        if self.jac is not None and isinstance(value, (int, float)):
            value = torch.tensor(value, dtype=torch.float64, device="cpu")
        return Evaluation(scalar(value, "fun"), (leaf,), extras, given=given)

    def _gradient(self, answer: Callable[[], Any]) -> Callable[[], Tensor]:
        return lambda: self.layout.flatten(answer(), "jac")


@dataclass(frozen=True)
class ModuleSource:
    """``fun(module)``, or a closure without argument, over parameters that it reads by itself.

    The parameters are written in place before each evaluation and each gradient, and before each curvature product
    where something else was put there meanwhile, so a product never sees the numbers of another point.

    Args:
        layout: of the parameters.
        parameters: what is optimised.
        closure: returns the loss or ``(loss, extras)``; it may call ``backward``, also several times.
        capture: keep the graphs of its ``backward`` calls for exact products; otherwise they run, and ``.grad`` is
            read.
    """

    name: ClassVar[str] = "the closure"

    layout: Layout
    parameters: Sequence[nn.Parameter]
    closure: Callable[[], Any]
    capture: bool = True

    def evaluate(self, x: Tensor) -> Evaluation:
        placement = Placement(self.layout, self.parameters, x.detach().clone())
        placement.put()
        with torch.enable_grad():
            if self.capture:
                loss, extras = self.run(lambda: Recorder(self.parameters).run(self.closure))
                return Evaluation(loss, tuple(self.parameters), extras, placement)
            loss, extras = self.run(lambda: run_backward(self.parameters, self.closure))
        leaves = tuple(self.parameters)
        if loss.requires_grad:  # the closure left the backward to us
            return Evaluation(loss, leaves, extras, placement)
        parts = [torch.zeros_like(p) if p.grad is None else dense(p.grad.detach()) for p in leaves]
        left = masks(leaves, parts) if hooked(leaves) else None
        flat = torch.cat([part.reshape(-1).to(self.layout.device) for part in parts])
        made = Evaluation(loss, leaves, extras, given=lambda: made.visible(flat), masks=left)
        return made

    def run(self, evaluate: Callable[[], Any]) -> Any:
        """Call what evaluates; a place for what has to hold around it."""
        return evaluate()

    def place(self, x: Tensor) -> None:
        """Write a flat vector into the parameters."""
        Placement(self.layout, self.parameters, x).put()


def source_of(fun: Callable[..., Any], x0: Any, layout: Layout, tensors: list[Tensor], jac: Any) -> Source:
    """The source for ``minimize``'s arguments.

    Raises:
        TypeError: ``fun`` is not callable, or takes another number of arguments than ``x0`` asks for.
        ValueError: ``jac`` beside a module.
    """
    if not callable(fun):
        raise TypeError(f"fun is a {type(fun).__name__}; give a function of x")
    if jac is False:
        jac = None  # SciPy's word for it
    if not (jac is None or jac is True or callable(jac)):
        raise TypeError(f"jac={jac!r} is no function of x; leave it out for autograd, or give one, or True")
    if layout.form != "parameters":
        return FunctionSource(layout, fun, jac)
    if jac is not None:
        raise ValueError("jac cannot be given beside parameters; leave it out (autograd is used), or give x0 as a dict")
    parameters = cast("list[nn.Parameter]", tensors)
    takes = _arguments(fun)
    if takes == 0:
        return ModuleSource(layout, parameters, fun)
    if not isinstance(x0, nn.Module):
        raise TypeError("fun takes arguments, but x0 is a list of parameters; give a closure without any, or a module")
    return ModuleSource(layout, parameters, lambda: fun(x0))


def _arguments(fun: Callable[..., Any]) -> int:
    """How many positional arguments must be given."""
    try:
        found = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in found)
