"""Evaluation weights: put into the parameters in the place of the training weights, and taken away again.

While they are there, the state of a parameter holds its training weights, so that a checkpoint tells in which mode it
was saved and has both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from gradwright.core import Chain, ParamSpec
from gradwright.engine import rows
from gradwright.engine.access import access_to
from gradwright.optimizer.arrays import values_of, weights_of
from gradwright.optimizer.skipping import Skipping
from gradwright.optimizer.state import StatefulOptimizer

KEY = "training_weights"


class Evaluating(Skipping):
    """What an optimizer does so that a model can be evaluated."""

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within this block the parameters hold the weights to evaluate with; afterwards their own, bit for bit.

        Recipes that keep one set of weights are not touched.
        """
        if in_place(self):
            yield
            return
        self.eval()
        try:
            yield
        finally:
            self.train()

    def eval(self) -> None:
        """Put the evaluation weights in place, until :meth:`train`; the state keeps the training weights meanwhile."""
        self.catch_up()
        put(self)

    def train(self) -> None:
        """Put the training weights back, bit for bit."""
        take_away(self)


def in_place(optimizer: StatefulOptimizer) -> bool:
    """Whether a parameter holds its evaluation weights."""
    return any(KEY in state for state in optimizer.state.values())


@torch.no_grad()
def put(optimizer: StatefulOptimizer) -> None:
    """Put evaluation weights where a recipe has them and they are not there yet."""
    for chain, param, state in _evaluated(optimizer):
        if KEY in state or not state.get("step"):
            continue
        weights = _weights(chain, optimizer.spec_of(param), param, param, state)
        if weights is not None:
            state[KEY] = param.detach().clone()
            access_to(param, traceable=False).write(param, weights)


@torch.no_grad()
def take_away(optimizer: StatefulOptimizer) -> None:
    """Put the training weights back, bit for bit."""
    for group in optimizer.param_groups:
        for param in group["params"]:
            if (weights := optimizer.state.get(param, {}).pop(KEY, None)) is not None:
                param.copy_(weights)


@torch.no_grad()
def end_for(optimizer: StatefulOptimizer, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
    """Before this state takes the place of an optimizer's: put training weights back where it does not have them.

    Only in parameters that still hold their evaluation weights: what has been loaded into the others meanwhile belongs
    to the state.
    """
    for chain, param, old in _evaluated(optimizer):
        if KEY not in old or KEY in state.get(param, {}):
            continue
        shown = _weights(chain, optimizer.spec_of(param), param, old[KEY], old)
        now = access_to(param, traceable=False).read(param)
        if shown is not None and bool(torch.isclose(now, shown.to(now.dtype), rtol=0, atol=0, equal_nan=True).all()):
            param.copy_(old[KEY])


def _evaluated(optimizer: StatefulOptimizer) -> Iterator[tuple[Chain, Tensor, dict[str, Any]]]:
    """The parameters that have evaluation weights, each with its chain and its state."""
    for group in optimizer.param_groups:
        chain = optimizer.chain_of(group)
        for param in group["params"] if chain.evaluates else ():
            yield chain, param, optimizer.state.get(param, {})


def _weights(chain: Chain, spec: ParamSpec, param: Tensor, training: Tensor, state: Mapping[str, Any]) -> Tensor | None:
    """What a parameter with these training weights is evaluated with."""
    access = access_to(param, traceable=False)
    values = {key: values_of(state, key) for key in state if ":" not in key}
    held = {key: access.read(value) if isinstance(value, Tensor) else value for key, value in values.items()}
    weights = access.read(weights_of(training, state, spec))
    if rows.AGES in held:
        return rows.evaluate(chain, weights, held)
    return chain.evaluate(weights, held, state["step"])
