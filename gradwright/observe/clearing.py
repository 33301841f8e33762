"""Are gradients cleared between steps? Asked when a backward is about to add to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

LOOKED_AT = 8
"""How many of the smallest parameters of each optimizer are looked at."""


class ClearingObserver:
    """Hooks on a few parameters, put there for a watched step: was the gradient clear before a backward of this step?

    One that began clear is enough: more may be added to it (accumulation), and another optimizer's backward may have
    left something that was cleared since.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers
        self._handles: list[RemovableHandle] = []
        self._found: dict[Tensor, list[Tensor | bool]] = {}

    def listen(self) -> None:
        """Put the hooks there."""
        self._found = {}
        for param in self._chosen():
            self._handles.append(param.register_hook(self._hook(param)))

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def finish(self) -> list[Tensor | bool]:
        """For each parameter that was reached by a backward, whether one of them began with a clear gradient."""
        self.close()
        found, self._found = self._found, {}
        return [_any(each) for each in found.values()]

    def _chosen(self) -> list[Tensor]:
        chosen: dict[Tensor, None] = {}
        for optimizer in self.optimizers:
            params = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad and p.is_leaf]
            shaped = [param for param in params if not torch.nn.parameter.is_lazy(param)]
            chosen.update(dict.fromkeys(sorted(shaped, key=lambda param: param.numel())[:LOOKED_AT]))
        return list(chosen)

    def _hook(self, param: Tensor) -> Callable[[Tensor], None]:
        def look(_: Tensor) -> None:
            if torch.compiler.is_compiling():
                return
            old = param.grad
            clear = True if old is None else ~old.detach().any() if old.layout is torch.strided else False
            self._found.setdefault(param, []).append(clear)

        return look


def _any(found: list[Tensor | bool]) -> Tensor | bool:
    if any(each is True for each in found):
        return True
    tensors = [each for each in found if isinstance(each, Tensor)]
    return torch.stack(tensors).any() if tensors else False
