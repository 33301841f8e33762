"""Full weights: those of half-precision parameters with all that is kept beside them, given out and taken in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradwright.core import ParamSpec
from gradwright.core.number import shown
from gradwright.core.spelling import nearest
from gradwright.optimizer.arrays import set_weights, weights_of
from gradwright.optimizer.state import StatefulOptimizer


class FullWeights(StatefulOptimizer):
    """What an optimizer knows of its parameters beyond their own precision."""

    @torch.no_grad()
    def full_weights(self) -> dict[str, Tensor]:
        """Every parameter by name, in float32 with all that is known of it, for export and for evaluation.

        Those of ``weights="split24"`` and ``"split32"`` have more digits than the model's own; others are copies.
        Names are those that the optimizer was given (``named_parameters()``, or :func:`gradwright.route`), else
        ``"parameter 0"`` and so on.
        """
        found = {}
        for param, spec in self._all():
            known = weights_of(param, self.state.get(param, {}), spec)
            found[spec.name] = known.to(known.dtype if spec.is_complex else spec.computing_dtype, copy=True)
        return found

    @torch.no_grad()
    def load_full_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights of higher precision: the model gets their rounding, and split weights what that takes away.

        So a half-precision model begins where a float32 one stands. Everything is checked before anything changes.

        Args:
            weights: by name, as :meth:`full_weights` gives them; a float32 model's ``state_dict()`` will do. Entries
                that are no parameters of this optimizer, such as buffers, are left alone.

        Raises:
            ValueError: a parameter is missing, or has another shape, or holds no numbers; names it.
            RuntimeError: the evaluation weights are in place.
        """
        every = list(self._all())
        if any("training_weights" in self.state.get(param, {}) for param, _ in every):
            raise RuntimeError("the evaluation weights are in place; call optimizer.train() before loading weights")
        for param, spec in every:
            if spec.name not in weights:
                hint = nearest(spec.name, weights, "give named_parameters() to the optimizer, so that names agree")
                raise ValueError(f"load_full_weights: there are no weights of {spec.name!r}; {hint}")
            given = weights[spec.name]
            if not isinstance(given, Tensor) or not (given.is_floating_point() or given.is_complex()):
                raise ValueError(f"load_full_weights: {spec.name!r} is {shown(given)}, expected a tensor of numbers")
            if given.shape != param.shape or given.is_complex() != param.is_complex():
                raise ValueError(
                    f"load_full_weights: {spec.name!r} is {given.dtype} of shape {tuple(given.shape)}, the parameter "
                    f"{param.dtype} of shape {tuple(param.shape)}"
                )
        for group in self.param_groups:
            self._settle(group)
        for param, spec in every:
            if spec.weight_arrays and param in self.state:
                set_weights(param, self.state[param], spec, weights[spec.name])
            else:
                param.copy_(weights[spec.name])

    def _settle(self, group: dict[str, Any]) -> None:
        chain = self.chain_of(group)
        for param in group["params"]:
            if param not in self.state and not is_lazy(param):
                self.settle_in(param, group, chain)

    def _all(self) -> Iterator[tuple[Tensor, ParamSpec]]:
        for group in self.param_groups:
            for param in group["params"]:
                if not is_lazy(param):
                    yield param, self.spec_of(param)
