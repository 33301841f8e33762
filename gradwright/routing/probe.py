"""One forward pass on example inputs, watched: which weights multiply, and whose product is the output.

The pass runs in `eval()` mode without gradients, holds on to its activations while it runs, and leaves modes
and the CPU's random numbers as they were.

Every tensor that depends on the inputs is *live*; every other one is *made* of parameters (a slice, a cast, a
sum of two). Where a live tensor meets a made one, the operation tells how the parameter is used. A live tensor
remembers the layers whose product it is, through additions, activations, pooling and reshaping; a product, a
norm or a gain starts anew, and takes note that the layers before it *feed* something. What reaches the output
and feeds nothing is an output layer.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gradwright.routing.layers import like_vector

_PRODUCTS = (
    {"mm", "bmm", "mv", "dot", "addmm", "addmv", "baddbmm", "addbmm", "matmul", "linear", "einsum", "bilinear"}
    | {"_trilinear", "_addmm_activation", "_scaled_mm", "_grouped_mm", "convolution", "_convolution"}
    | {"cudnn_convolution", "mkldnn_convolution", "lstm", "gru", "mkldnn_rnn_layer", "_cudnn_rnn"}
)
_NORMS = ("layer_norm", "batch_norm", "group_norm", "rms_norm")


class Sighting(NamedTuple):
    """What one forward pass showed, by parameter name."""

    uses: Mapping[str, frozenset[str]]
    """`"multiplied"` or `"table"` (looked up, added), for parameters that met a tensor that depends on the inputs."""
    outputs: frozenset[str]
    """Weights whose product is the output and feeds no other layer."""


def observe(model: nn.Module, params: Mapping[str, Tensor], example_inputs: Any) -> Sighting:
    """Runs the model once and says how it uses its parameters.

    Args:
        model: the model, without wrappers.
        params: its parameters by name.
        example_inputs: what to call it with: a tuple of arguments, a dict of keyword arguments, or the only argument.

    Raises:
        ValueError: no tensor of the output depends on the inputs, or on the parameters, as in a sharded model.

    >>> sorted(observe(layer := nn.Linear(2, 3), dict(layer.named_parameters()), torch.ones(1, 2)).outputs)
    ['weight']
    """
    args, kwargs = _arguments(example_inputs)
    training = [module for module in model.modules() if module.training]
    watch = _Watch(params, tree_leaves((args, kwargs)))
    # A compiled layer would hide its operations; dynamo is loaded only where something is compiled.
    plain = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
    try:
        model.eval()
        with torch.no_grad(), torch.random.fork_rng(devices=[]), plain, watch:
            output = model(*args, **kwargs)
    finally:
        for module in training:
            module.training = True
    origins = [watch.origins[watch.key(leaf)] for leaf in _tensors(output) if watch.key(leaf) in watch.origins]
    if not origins:
        raise ValueError(f"example_inputs: the output, a {type(output).__name__}, holds no tensor that depends on them")
    if not watch.met:
        raise ValueError("example_inputs: the run met none of the parameters; route the model before it is sharded")
    uses = {name: frozenset(seen) for name, seen in watch.uses.items()}
    return Sighting(uses, frozenset().union(*origins) - watch.fed)


def make_lazy(model: nn.Module, example_inputs: Any) -> None:
    """Runs a model that has lazy modules once, in `eval()` mode without gradients, so that their parameters are made.

    >>> make_lazy(layer := nn.LazyLinear(3), torch.ones(1, 2))
    >>> layer.weight.shape
    torch.Size([3, 2])
    """
    if not any(map(is_lazy, model.parameters())):
        return
    args, kwargs = _arguments(example_inputs)
    training = [module for module in model.modules() if module.training]
    try:
        model.eval()
        with torch.no_grad():
            model(*args, **kwargs)
    finally:
        for module in training:
            module.training = True


def _arguments(example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example_inputs, Mapping):
        return (), dict(example_inputs)
    return (example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)), {}


class _Watch(TorchDispatchMode):
    def __init__(self, params: Mapping[str, Tensor], inputs: list[Any]) -> None:
        super().__init__()
        self.kept: list[Tensor] = []  # a freed tensor's address would be used again
        self.made: dict[int, frozenset[str]] = {}
        self.origins: dict[int, frozenset[str]] = {}
        self.uses: defaultdict[str, set[str]] = defaultdict(set)
        self.fed: set[str] = set()
        self.met: set[str] = set()
        self.vectors = {name for name, param in params.items() if like_vector(param)}
        for name, param in params.items():
            key = self.key(param)
            self.made[key] = self.made.get(key, frozenset()) | {name}
        for leaf in _tensors(inputs):
            self.kept.append(leaf)
            self.origins[self.key(leaf)] = frozenset()

    @staticmethod
    def key(tensor: Tensor) -> int:
        return tensor.untyped_storage()._cdata

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operands = [self.key(leaf) for leaf in _tensors((args, kwargs))]
        live = [self.origins[key] for key in operands if key in self.origins]
        names = frozenset().union(*(self.made.get(key, ()) for key in operands if key not in self.origins))
        word = func.name().partition("::")[2].partition(".")[0]
        if live:
            table, passed_on = self.origins, self._meet(word, frozenset().union(*live), names)
        else:
            # Where two parameters are multiplied, neither is known to multiply the input.
            table, passed_on = self.made, frozenset() if word in _PRODUCTS else names
        for leaf in _tensors(result):
            self.kept.append(leaf)
            table[self.key(leaf)] = passed_on
        return result

    def _meet(self, word: str, before: frozenset[str], names: frozenset[str]) -> frozenset[str]:
        product, scaled = word in _PRODUCTS, word in ("mul", "mul_", "div", "div_")
        self.met |= names
        for name in () if scaled else names:
            self.uses[name].add("multiplied" if product else "table")
        if product or any(norm in word for norm in _NORMS) or (scaled and names & self.vectors):
            self.fed |= before
            return names - self.vectors if product else frozenset()
        return before


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
