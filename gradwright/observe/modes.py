"""Between steps: is the model evaluated in the mode and with the weights that evaluation needs?"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.hooks import RemovableHandle

from gradwright.optimizer import evaluation
from gradwright.optimizer.optimizer import Optimizer


class ModeObserver:
    """Counts forward passes since the last step by mode: of the model as a whole, or of a part that has modes.

    Args:
        model: that is evaluated.
        optimizers: whose evaluation weights are looked for.
    """

    def __init__(self, model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers
        self.moded = next((module for module in model.modules() if has_modes(module)), None)
        self.averaging = any(averages(optimizer) for optimizer in optimizers)
        self._handles: list[RemovableHandle] = []
        for module in dict.fromkeys(each for each in (model, self.moded) if each is not None):
            self._handles.append(module.register_forward_pre_hook(self._seen))
        self.clear()

    def clear(self) -> None:
        """A step was taken: what comes now is evaluation until the next."""
        self.in_training = self.in_evaluation = self.with_weights = self.without_weights = 0

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _seen(self, module: nn.Module, args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        moded = self.moded if self.moded is not None else module
        if moded.training:
            self.in_training += 1
        else:
            self.in_evaluation += 1
        if self.averaging:
            if all(in_place(optimizer) for optimizer in self.optimizers if averages(optimizer)):
                self.with_weights += 1
            else:
                self.without_weights += 1

    @property
    def wrong_mode(self) -> bool:
        """Whether the model was run since the last step, only in training mode, and has a part that differs by it."""
        return self.moded is not None and self.in_training > 0 and self.in_evaluation == 0

    @property
    def wrong_weights(self) -> bool:
        """Whether the model was run since the last step, and never with the weights of evaluation."""
        return self.averaging and self.without_weights > 0 and self.with_weights == 0


def has_modes(module: nn.Module) -> bool:
    """Whether a module itself computes something else in training mode."""
    if isinstance(module, _DropoutNd):
        return module.p > 0
    if isinstance(module, (_BatchNorm, nn.MultiheadAttention, nn.RNNBase)):
        return getattr(module, "dropout", 1.0) > 0
    return any(
        isinstance(rate := getattr(module, key, None), float) and 0 < rate < 1 for key in ("dropout", "drop_prob")
    )


def averages(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer keeps other weights to evaluate with: ours, or one with ``train_mode`` in its groups."""
    if isinstance(optimizer, Optimizer):
        return any(optimizer.chain_of(group).evaluates for group in optimizer.param_groups)
    return any("train_mode" in group for group in optimizer.param_groups)


def in_place(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the weights to evaluate with are in the parameters."""
    if isinstance(optimizer, Optimizer):
        return evaluation.in_place(optimizer)
    return not any(group.get("train_mode", False) for group in optimizer.param_groups)
